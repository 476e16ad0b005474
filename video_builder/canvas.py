"""Fits frames of different sizes into images of one size."""

from collections.abc import Iterable

import cv2
import numpy as np

from shared.frame.estimation import Image

Size = tuple[int, int]
"""Width and height in pixels."""

MIN_SIDE_PX = 64
"""Smallest side that every encoder accepts."""


def largest(sizes: Iterable[Size]) -> Size | None:
    """Return the size with the most pixels, the first of equals; None if there are no sizes."""
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def even(size: Size) -> Size:
    """Return the smallest video size that holds a frame: both sides even, as 4:2:0 requires."""
    width, height = (max(MIN_SIDE_PX, side + side % 2) for side in size)
    return width, height


def letterbox(image: Image, size: Size) -> Image:
    """Fit a frame, (height, width, 3), into a size: proportions kept, centred, black around it.

    If width or height is one pixel larger than the frame's, that pixel stays black and the frame is
    not scaled.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    if not (0 <= size[0] - width <= 1 and 0 <= size[1] - height <= 1):
        scale = min(size[0] / width, size[1] / height)
        width = max(1, min(size[0], round(width * scale)))
        height = max(1, min(size[1], round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + height, left : left + width] = image
    return canvas
