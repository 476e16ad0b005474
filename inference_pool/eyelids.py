"""Takes the strip with both eyes, in which LifeSigns sees the lids move."""

import cv2
import numpy as np

from inference_pool.onnx.geometry import warped
from shared.frame.estimation import EyeCentres, Image
from shared.frame.eyelids import APART, COLUMNS, ROWS

FINE = 2
"""Samples along a side of a cell. With one, a shift by half a pixel of a dark lash would change the
cells more than a lid does."""
SMOOTHING = 0.9
"""Standard deviation in cells of the blur, because a shift is measured by brightness gradients."""
GREEN = 1
MARGIN = 2
"""Pixels around the strip that the interpolation needs."""
TINY = 1e-6
"""Lower bound of the square of a cell's side in pixels."""


def eyelids_of(image: Image, centres: EyeCentres) -> bytes:
    """Return the brightness around both eyes, as ``shared.frame.eyelids.Eyelids``.

    Green stands for brightness, as in ``inference_pool.scene``.
    """
    (x1, y1), (x2, y2) = centres
    across, down = (x2 - x1) / APART, (y2 - y1) / APART
    green, left, top = _around((x1 + x2) / 2, (y1 + y2) / 2, across, down, image)
    if green.size == 0:
        return bytes(ROWS * COLUMNS)
    scale = FINE / max(TINY, across**2 + down**2)
    cos, sin = scale * across, scale * down
    x, y = (x1 + x2) / 2 - left, (y1 + y2) / 2 - top
    middle_x, middle_y = FINE * COLUMNS / 2 - 0.5, FINE * ROWS / 2 - 0.5
    matrix = np.array(
        [
            [cos, sin, middle_x - cos * x - sin * y],
            [-sin, cos, middle_y + sin * x - cos * y],
        ]
    )
    samples = warped(green, matrix, np.empty((FINE * ROWS, FINE * COLUMNS), np.uint8))
    cells = cv2.resize(samples, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cells, (3, 3), SMOOTHING).tobytes()


def _around(x: float, y: float, across: float, down: float, image: Image) -> tuple[Image, int, int]:
    """Return the green channel around the strip, and its left and top border in the frame."""
    reach_x = (COLUMNS * abs(across) + ROWS * abs(down)) / 2 + MARGIN
    reach_y = (COLUMNS * abs(down) + ROWS * abs(across)) / 2 + MARGIN
    left, top = max(0, int(x - reach_x)), max(0, int(y - reach_y))
    right, bottom = max(0, int(x + reach_x) + 1), max(0, int(y + reach_y) + 1)
    return np.ascontiguousarray(image[top:bottom, left:right, GREEN]), left, top
