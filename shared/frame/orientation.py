"""The eight EXIF orientations of a stored image, and the rotation of each to upright."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from shared.frame.estimation import Image

UPRIGHT = 1
_CLOCKWISE = {1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2}
"""The orientation that adds a clockwise rotation by 90 degrees."""
_TRANSFORMS: dict[int, Callable[[Any], Any]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.rotate(cv2.transpose(image), cv2.ROTATE_180),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def swaps_sides(orientation: int) -> bool:
    """Return whether the upright image is as wide as the stored one is high."""
    return orientation >= 5


def turned(orientation: int, degrees: int) -> int:
    """Return the orientation (1..8) with a clockwise rotation by a multiple of 90 degrees added."""
    for _ in range(degrees // 90):
        orientation = _CLOCKWISE[orientation]
    return orientation


def upright(image: Image, orientation: int) -> Image:
    """Rotate an image, (height, width, 3), of an orientation (1..8) upright; 1 changes nothing."""
    if orientation == UPRIGHT:
        return image
    return np.asarray(_TRANSFORMS[orientation](image), np.uint8)
