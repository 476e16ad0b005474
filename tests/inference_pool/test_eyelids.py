"""The region around the eyes: its position in the frame, at any size and angle."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest

from aggregator.plugins.eyelids import EYE_WIDTH
from inference_pool.eyelids import eyelids_of
from shared.frame.estimation import EyeCentres, Image
from shared.frame.eyelids import APART, COLUMNS, EYE_COLUMNS, ROWS, Eyelids


def drawn(apart: float, angle: float) -> tuple[Image, EyeCentres]:
    """Draw two dark eyes below light brows, with this distance (pixels) and angle (degrees)."""
    image = np.full((480, 640, 3), 120, np.uint8)
    across = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    up = np.array([across[1], -across[0]])
    width = EYE_WIDTH * apart
    centres = []
    for side in (-1, 1):
        centre = np.array([320, 240]) + side * apart / 2 * across
        size = (round(width / 2), round(width / 6))
        for place, shade in ((centre, 20), (centre + 0.5 * width * up, 220)):
            x, y = place.round().astype(int).tolist()
            cv2.ellipse(image, (x, y), size, angle, 0, 360, (shade, shade, shade), -1)
        centres.append((float(centre[0]), float(centre[1])))
    return image, (centres[0], centres[1])


@pytest.mark.parametrize("apart", [30.0, 90.0, 250.0])
@pytest.mark.parametrize("angle", [0.0, 20.0, -35.0])
def test_each_eye_is_in_the_centre_of_its_region(apart: float, angle: float) -> None:
    """Regions are level and of the same size for any size of the face and tilt of the head."""
    eyelids = eyelids_of(*drawn(apart, angle))
    assert msgspec.convert(eyelids, Eyelids) == eyelids
    cells = np.frombuffer(eyelids, np.uint8).reshape(ROWS, COLUMNS).astype(int)
    for left in (0, APART):
        column = cells[:, left + EYE_COLUMNS // 2]
        assert column[ROWS // 2] < 60
        assert column[: ROWS // 2 - 5].max() > 180
        assert abs(column[-1] - 120) < 10


def test_eyes_beyond_the_border_are_black() -> None:
    """Cells outside the frame, as for a face at its edge, are no error."""
    image, _ = drawn(90, 0)
    eyelids = eyelids_of(image, ((-900.0, -900.0), (-800.0, -900.0)))
    assert eyelids == bytes(ROWS * COLUMNS)
