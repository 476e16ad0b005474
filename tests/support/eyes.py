"""Drawn eyes in the form that a worker sends for LifeSigns."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aggregator.plugins.eyelids import CELL
from inference_pool.eyelids import SMOOTHING
from shared.frame.eyelids import APART, COLUMNS, ROWS

FINE = 4
"""Samples along a side of a cell."""
Samples = NDArray[np.float64]


@lru_cache(maxsize=10_000)
def drawn_eyelids(
    lowered: float = 0.0, *, right: float | None = None, dx: float = 0.0, dy: float = 0.0
) -> bytes:
    """Return both eyes of a face, moved and with lowered lids, in units of eye widths.

    ``right`` is for the lid on the image's right, if it differs.
    """
    y, x = (np.mgrid[: ROWS * FINE, : COLUMNS * FINE] + 0.5) / FINE
    y = (y - ROWS / 2) * CELL - dy
    shade = np.full_like(y, 160.0)
    for side, lid in ((-1, lowered), (1, lowered if right is None else right)):
        eye_x = (x - COLUMNS / 2 - side * APART / 2) * CELL - dx
        shade -= 50 * np.exp(-(((y + 0.52) / 0.1) ** 2) - (eye_x / 0.7) ** 4)
        opening = _edge(y - (-0.2 + lid)) * _edge(0.12 - y)
        shade -= 90 * opening * np.clip(1 - (eye_x / 0.5) ** 2, 0, 1)
    cells = shade.reshape(ROWS, FINE, COLUMNS, FINE).mean(axis=(1, 3)).round().astype(np.uint8)
    return cv2.GaussianBlur(cells, (3, 3), SMOOTHING).tobytes()


def _edge(distance: Samples) -> Samples:
    """Rise from 0 to 1 over about a cell."""
    return np.asarray(1 / (1 + np.exp(-distance / 0.02)))
