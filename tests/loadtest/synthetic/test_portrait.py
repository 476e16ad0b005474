"""Portraits: what they accept and how they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loadtest.synthetic.portrait import Portrait, astronaut
from shared.errors import ResourceError

IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
MESH = np.arange(468 * 3, dtype=np.float64).reshape(468, 3)


def test_fit_asks_the_landmarker() -> None:
    """The mesh is what the landmarker finds in the picture."""
    portrait = Portrait.fit(IMAGE, lambda image: MESH + image.size)
    assert np.array_equal(portrait.mesh, (MESH + IMAGE.size).astype(np.float32))
    assert portrait.image is IMAGE


@pytest.mark.parametrize(
    ("image", "mesh"),
    [
        (IMAGE[..., 0], MESH),
        (IMAGE.astype(np.float32), MESH),
        (IMAGE, MESH[:, :2]),
        (IMAGE, MESH[:400]),
        (IMAGE, np.full_like(MESH, np.nan)),
    ],
)
def test_wrong_shapes_are_refused(image: np.ndarray, mesh: np.ndarray) -> None:
    """An image or mesh of another shape or type is refused."""
    with pytest.raises(ValueError, match=r"a (portrait|mesh) must be"):
        Portrait(image, mesh)


def test_saved_portrait_loads_equal(tmp_path: Path) -> None:
    """What is saved comes back to the last bit, under exactly the given name."""
    path = tmp_path / "portrait.cache"
    Portrait(IMAGE, MESH).save(path)
    loaded = Portrait.load(path)
    assert np.array_equal(loaded.image, IMAGE)
    assert np.array_equal(loaded.mesh, MESH.astype(np.float32))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", None])
def test_unusable_file_is_one_error(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or damaged file is a start-up error that names the file."""
    path = tmp_path / "portrait.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResourceError, match=r"portrait\.npz"):
        Portrait.load(path)


def test_archive_without_mesh_is_refused(tmp_path: Path) -> None:
    """An archive of something else is no portrait."""
    path = tmp_path / "portrait.npz"
    np.savez(path, image=IMAGE)
    with pytest.raises(ResourceError, match="mesh"):
        Portrait.load(path)


def test_astronaut_is_blue_green_red() -> None:
    """The default picture comes in the order of all pictures here: her suit is orange."""
    image = astronaut()
    blue, green, red = image[300, 110].tolist()
    assert image.flags.c_contiguous
    assert blue < green < red
