"""Images are rotated upright, and a camera's rotation is added to EXIF's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shared.config.service import LimitsSection
from shared.frame import intake
from shared.frame.decoding import decode
from shared.frame.orientation import swaps_sides, turned, upright
from tests.support.formats import noise, with_orientation

PICTURE = noise(36, 48)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotation_is_applied_after_the_orientation(orientation: int, rotation: int) -> None:
    """Rotating the upright image is an orientation, too."""
    expected = np.rot90(upright(PICTURE, orientation), -rotation // 90)
    combined = turned(orientation, rotation)
    assert np.array_equal(upright(PICTURE, combined), expected)
    assert swaps_sides(combined) == (expected.shape[:2] != PICTURE.shape[:2])


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_rotated_alike(extension: str, orientation: int, rotation: int) -> None:
    """EXIF in JPEG, PNG and WebP has the effect that it has in OpenCV's JPEG reader."""
    plain = cv2.imencode(extension, PICTURE)[1].tobytes()
    stored = decode(plain, LimitsSection())
    jpeg = with_orientation(cv2.imencode(".jpg", PICTURE)[1].tobytes(), orientation)
    opencv = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert opencv is not None
    data = with_orientation(plain, orientation)
    shown = decode(data, LimitsSection(), rotation)
    assert np.array_equal(shown, np.rot90(upright(stored, orientation), -rotation // 90))
    difference = np.rot90(shown, rotation // 90).astype(int) - opencv
    assert np.abs(difference).mean() < 4  # some formats are lossy, in different ways
    width, height = intake.judge(data, LimitsSection()).turned(rotation).upright_size
    assert shown.shape == (height, width, 3)
