from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.detector import MAX_CELLS, SIZE, STRIDES, YuNet
from shared.frame.checks import BOX_SLACK
from shared.frame.estimation import Image


@pytest.fixture(scope="module")
def yunet(models: ModelStore) -> YuNet:
    return YuNet(models.session("detector"))


def test_one_face_with_its_points(yunet: YuNet, portrait: Image) -> None:
    """The box contains the points: eyes above nose above mouth, the image's left one first."""
    (face,) = yunet.detect(portrait)
    box, points = face.box, face.points
    assert points.shape == (5, 2)
    assert (points >= (box.x, box.y)).all()
    assert (points <= (box.x + box.width, box.y + box.height)).all()
    assert max(points[:2, 1]) < points[2, 1] < min(points[3:, 1])
    assert points[0, 0] < points[2, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]


def test_box_follows_scale_and_place(yunet: YuNet, portrait: Image) -> None:
    """Boxes are in pixels of the frame, whatever its size and shape."""
    (near,) = yunet.detect(portrait)
    wide = np.zeros((600, 1600, 3), np.uint8)
    wide[100:580, 700:1340] = portrait
    (moved,) = yunet.detect(wide)
    centre = (moved.box.x + moved.box.width / 2, moved.box.y + moved.box.height / 2)
    expected = (700 + near.box.x + near.box.width / 2, 100 + near.box.y + near.box.height / 2)
    assert centre == pytest.approx(expected, abs=0.1 * near.box.width)
    assert moved.box.width == pytest.approx(near.box.width, rel=0.15)


def test_a_quick_look_finds_the_same_face(
    yunet: YuNet, pulled: ModelStore, portrait: Image
) -> None:
    """Its box differs by less than the slack of lenient rules, on a wide frame, too."""
    quick = YuNet.quick(pulled.session("detector"))
    assert quick is not None
    wide = np.zeros((480, 853, 3), np.uint8)
    wide[:, 100:740] = portrait
    for image in (portrait, wide):
        (full,), (seen,) = (detector.detect(image) for detector in (yunet, quick))
        sides = [(box.x, box.y, box.width, box.height) for box in (full.box, seen.box)]
        assert np.abs(np.subtract(*sides)).max() < BOX_SLACK * full.box.height


def test_no_quick_look_by_a_network_of_one_size(pulled_models: Path) -> None:
    """As the original file is, and the networks of most inference servers."""
    original = ModelStore(pulled_models, provider="cpu", variants=False)
    assert YuNet.quick(original.session("detector")) is None
    assert not OnnxBackend(original).capabilities.quick_look


def test_no_quick_look_by_a_network_that_scales_its_input(pulled: ModelStore) -> None:
    """It would return the cells of another size, and every box would be wrong."""
    session = pulled.session("detector")

    def run(names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        (name, image), *_ = feed.items()
        scaled = np.repeat(np.repeat(image, 2, axis=2), 2, axis=3)[:, :, :SIZE, :SIZE]
        return session.run(names, {name: scaled})

    scaling = SimpleNamespace(
        get_inputs=session.get_inputs, get_outputs=session.get_outputs, run=run
    )
    assert YuNet(scaling) is not None
    assert YuNet.quick(scaling) is None


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (1080, 1920)])
def test_empty_frame_has_no_face(yunet: YuNet, size: tuple[int, int]) -> None:
    """Grey and noise are not faces."""
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert yunet.detect(np.full((*size, 3), 127, np.uint8)) == []
    assert yunet.detect(noise) == []


def test_two_faces(yunet: YuNet, portrait: Image) -> None:
    """Two people side by side are two faces, none found twice."""
    assert len(yunet.detect(np.hstack((portrait, portrait)))) == 2


def test_nothing_is_left_of_the_previous_frame(yunet: YuNet, portrait: Image) -> None:
    """A wider frame leaves nothing in the network's input."""
    tall = cv2.resize(portrait, (160, 480))
    alone = [face.box for face in yunet.detect(np.zeros_like(tall))]
    yunet.detect(portrait)
    assert [face.box for face in yunet.detect(np.zeros_like(tall))] == alone == []


class FacesEverywhere:
    """A fake network with a small face in each cell; scores increase downwards."""

    CHANNELS: ClassVar = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=[1, 3, SIZE, SIZE])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in YuNet.OUTPUTS]

    def run(self, outputs: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [self._answer(*name.split("_")) for name in outputs or YuNet.OUTPUTS]

    def _answer(self, kind: str, stride: str) -> np.ndarray:
        side = SIZE // int(stride)
        shape = (1, side * side, self.CHANNELS[kind])
        if kind == "obj":
            return np.linspace(0.7, 1, side * side, dtype=np.float32).reshape(shape)
        return np.full(shape, 1 if kind == "cls" else -2, np.float32)


def test_the_number_of_decoded_faces_is_limited() -> None:
    """Of any number of likely cells only those with the highest scores are decoded."""
    assert sum((SIZE // stride) ** 2 for stride in STRIDES) > 8 * MAX_CELLS
    faces = YuNet(FacesEverywhere()).detect(np.zeros((SIZE, SIZE, 3), np.uint8))
    assert 1 < len(faces) <= MAX_CELLS
    assert min(face.score for face in faces) > 0.97
    assert min(face.box.y for face in faces) > SIZE / 2
