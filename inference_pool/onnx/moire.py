"""Moire: the beat between the pixels of a screen and those of a camera, as a peak in the spectrum.

A face has no period. A screen before the camera often shows one over the whole face: stripes or a
lattice, in the spectrum a few sharp peaks far above everything else of the same frequency.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Box, Image

SIZE = 192
"""Side of the area in pixels of the frame; it is not scaled, as that would move or make peaks."""
SLOWEST = 0.06
"""Lowest frequency looked at, in periods a pixel; slower ones are the face itself."""
AXIS = 2
"""Frequencies this near to the axes are left out: edges of frame and codec blocks lie there."""
SMOOTH = 3.0

Floats = NDArray[np.float64]


def _rings() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of each frequency's values in half of the spectrum, padded, and how many there are."""
    rows, columns = np.mgrid[:SIZE, : SIZE // 2 + 1]
    rows = np.where(rows > SIZE // 2, rows - SIZE, rows)
    radius = np.hypot(rows, columns).astype(np.intp)
    looked_at = (np.abs(columns) > AXIS) & (np.abs(rows) > AXIS)
    reach = range(int(SLOWEST * SIZE), SIZE // 2 - 1)
    places = [np.flatnonzero((radius == one) & looked_at) for one in reach]
    counts = np.array([len(ring) for ring in places])
    table = np.full((len(places), counts.max()), -1)
    for row, ring in zip(table, places, strict=True):
        row[: len(ring)] = ring
    return table, counts


_TABLE, _COUNTS = _rings()
_PADDING = _TABLE < 0
_LAST = np.arange(len(_COUNTS)), _COUNTS - 1
_MIDDLE = np.arange(len(_COUNTS)), _COUNTS // 2
_WINDOW: NDArray[np.float32] = np.outer(np.hanning(SIZE), np.hanning(SIZE)).astype(np.float32)


def peak(image: Image, box: Box) -> float:
    """Measure how far the highest peak stands out.

    Args:
        image: the frame.
        box: the face.

    Returns:
        The greatest deviation of the spectrum's logarithm from the median of all frequencies of
        the same height, in robust standard deviations; faces have 2 to 4.6. 0 where the middle of
        the face has no ``SIZE`` pixels in the frame.
    """
    left = box.x + (box.width - SIZE) // 2
    top = box.y + (box.height - SIZE) // 2
    area = image[max(0, top) : top + SIZE, max(0, left) : left + SIZE]
    if min(box.width, box.height) < SIZE or area.shape[:2] != (SIZE, SIZE):
        return 0.0
    luma = np.asarray(cv2.cvtColor(area, cv2.COLOR_BGR2GRAY), np.float32)
    detail = (luma - cv2.GaussianBlur(luma, (0, 0), SMOOTH)) * _WINDOW
    spectrum = np.log1p(np.abs(np.fft.rfft2(detail))).ravel()
    return _highest(spectrum)


def _highest(spectrum: Floats) -> float:
    """Greatest value over its ring's median, in units of the ring's spread (1.48 MAD)."""
    rings = np.where(_PADDING, np.inf, spectrum[_TABLE])
    rings.sort(axis=1)
    middle = rings[_MIDDLE][:, None]
    away = np.abs(rings - middle)
    away.sort(axis=1)
    spread = 1.4826 * away[_MIDDLE] + 1e-3
    return float(((rings[_LAST] - middle[:, 0]) / spread).max())
