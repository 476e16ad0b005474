"""Portraits: which input they accept."""

from __future__ import annotations

import numpy as np
import pytest

from loadtest.synthetic.portrait import Portrait, astronaut

IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
MESH = np.arange(468 * 3, dtype=np.float64).reshape(468, 3)


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


def test_astronaut_is_blue_green_red() -> None:
    """The default picture has the channel order of all images here: her suit is orange."""
    image = astronaut()
    blue, green, red = image[300, 110].tolist()
    assert image.flags.c_contiguous
    assert blue < green < red
