from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from inference_pool.onnx.network import Network
from shared.errors import EstimationError, ModelError

PICTURE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


@dataclass
class Session:
    """A stand-in for a runtime session: keeps its input."""

    shape: tuple[int | str, ...]
    failing: bool = False
    seen: list[np.ndarray] = field(default_factory=list)

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=list(self.shape))]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="output")]

    def run(self, outputs: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.failing:
            raise RuntimeError("broken")
        self.seen.append(inputs["input"].copy())
        return [inputs["input"]]


def seen_by(shape: tuple[int, int, int, int], **options: Any) -> np.ndarray:
    session = Session(shape)
    Network(session, (2, 4), **options).run(PICTURE)
    return session.seen[-1]


def test_channels_first() -> None:
    """The default is planes of blue, green and red in 0..255."""
    seen = seen_by((1, 3, 2, 4), rgb=False)
    assert np.array_equal(seen[0], PICTURE.transpose(2, 0, 1))


def test_channels_last_rgb() -> None:
    """A model with the other layout gets it, red first."""
    seen = seen_by((1, 2, 4, 3), rgb=True)
    assert np.array_equal(seen[0], PICTURE[:, :, ::-1])


@pytest.mark.parametrize("shape", [(1, 3, 2, 4), (1, 2, 4, 3)])
@pytest.mark.parametrize("rgb", [False, True])
def test_a_fourth_channel_is_left_out(shape: tuple[int, int, int, int], rgb: bool) -> None:
    """An alpha channel does not change the input."""
    session = Session(shape)
    network = Network(session, (2, 4), rgb=rgb)
    network.run(PICTURE)
    network.run(np.dstack((PICTURE, np.full((2, 4), 77, np.uint8))))
    assert np.array_equal(session.seen[-1], session.seen[-2])


def test_scale_and_offset() -> None:
    """Values become value * scale + offset."""
    seen = seen_by((1, 3, 2, 4), rgb=True, scale=0.5, offset=-1.0)
    assert np.allclose(seen[0], PICTURE[:, :, ::-1].transpose(2, 0, 1) * 0.5 - 1)


def test_offset_does_not_add_up() -> None:
    """The reused input is filled again for each image."""
    session = Session((1, 3, 2, 4))
    network = Network(session, (2, 4), rgb=False, offset=-1.0)
    network.run(PICTURE)
    network.run(PICTURE)
    assert np.array_equal(session.seen[-1], session.seen[-2])


def test_free_batch_size_is_accepted() -> None:
    """A model whose batch size is a name fits as well."""
    Network(Session(("batch", 3, 2, 4)), (2, 4), rgb=False)


@pytest.mark.parametrize("shape", [(1, 3, 2, 4), (1, 2, 4, 3)])
@pytest.mark.parametrize("offset", [0.0, -1.0])
def test_a_smaller_image_is_padded_with_black(shape: Any, offset: float) -> None:
    """Neither a larger nor a smaller image leaves anything in the input."""
    session = Session(shape)
    network = Network(session, (2, 4), rgb=False, offset=offset)
    black = np.zeros_like(PICTURE)
    for height, width in ((2, 4), (1, 2), (2, 1), (2, 4)):
        network.run(PICTURE[:height, :width])
        padded = black.copy()
        padded[:height, :width] = PICTURE[:height, :width]
        network.run(padded)
        assert np.array_equal(session.seen[-1], session.seen[-2])


@pytest.mark.parametrize(
    "session",
    [
        Session((1, 3, 2, 5)),
        Session((2, 3, 2, 4)),
        Session((3, 2, 4)),
        Session((1, 3, 2, 4), failing=True),
    ],
)
def test_an_incompatible_model_does_not_start(session: Session) -> None:
    """A model with another input, or one that cannot run, fails when it is loaded."""
    with pytest.raises(ModelError):
        Network(session, (2, 4), rgb=False)


def test_runtime_failure_is_an_estimation_error() -> None:
    """A failing run fails the stage, not the process."""
    session = Session((1, 3, 2, 4))
    network = Network(session, (2, 4), rgb=False)
    session.failing = True
    with pytest.raises(EstimationError, match="broken"):
        network.run(PICTURE)


@pytest.mark.parametrize("shape", [(1, 3, "height", "width"), (1, 3, 2, None)])
def test_an_open_size_is_taken_only_on_request(shape: tuple[int | str, ...]) -> None:
    """Most networks work at one size, and would judge wrongly at another."""
    with pytest.raises(ModelError, match="expected"):
        Network(Session(shape), (2, 4), rgb=False)
    session = Session(shape)
    Network(session, (2, 4), rgb=False, any_size=True).run(PICTURE)
    assert np.array_equal(session.seen[-1][0], PICTURE.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(1, "height", "width", 3), (1, "c", "h", "w"), (1, 3, 2, 5)])
def test_an_open_size_does_not_excuse_another_shape(shape: tuple[int | str, ...]) -> None:
    """Channels must come first and be three, and a given size must be the wanted one."""
    with pytest.raises(ModelError, match="expected"):
        Network(Session(shape), (2, 4), rgb=False, any_size=True)
