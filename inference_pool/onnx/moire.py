"""Moire between the pixels of a screen and of the camera, measured as a peak in the spectrum.

A face has no periodic pattern. A screen often shows one over the whole face, stripes or a lattice:
a few sharp peaks in the spectrum, far above all other values of the same frequency.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import MOIRE_SIDE, Box, Image

MIN_FREQUENCY = 0.06
"""Lowest measured frequency in periods per pixel; lower ones are the face itself."""
AXIS = 2
"""Frequencies this near to an axis are ignored: there are edges of the frame and codec blocks."""
DETAIL_SIGMA = 3.0
"""Standard deviation in pixels of the blur that is subtracted to leave the detail."""

Floats = NDArray[np.float64]


def _rings() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of each frequency's values in the half spectrum, padded with -1, and their counts."""
    rows, columns = np.mgrid[:MOIRE_SIDE, : MOIRE_SIDE // 2 + 1]
    rows = np.where(rows > MOIRE_SIDE // 2, rows - MOIRE_SIDE, rows)
    radius = np.hypot(rows, columns).astype(np.intp)
    off_axis = (np.abs(columns) > AXIS) & (np.abs(rows) > AXIS)
    radii = range(int(MIN_FREQUENCY * MOIRE_SIDE), MOIRE_SIDE // 2 - 1)
    rings = [np.flatnonzero((radius == one) & off_axis) for one in radii]
    counts = np.array([len(ring) for ring in rings])
    table = np.full((len(rings), counts.max()), -1)
    for row, ring in zip(table, rings, strict=True):
        row[: len(ring)] = ring
    return table, counts


_TABLE, _COUNTS = _rings()
_PADDING = _TABLE < 0
_LAST = np.arange(len(_COUNTS)), _COUNTS - 1
_MIDDLE = np.arange(len(_COUNTS)), _COUNTS // 2
_WINDOW: NDArray[np.float32] = np.outer(np.hanning(MOIRE_SIDE), np.hanning(MOIRE_SIDE)).astype(
    np.float32
)


def peak(image: Image, box: Box) -> float:
    """Measure the prominence of the highest peak.

    Returns:
        The greatest deviation of the log spectrum from the median of all values of the same
        frequency, in robust standard deviations; faces have 2 to 4.6. 0 if the middle of the face
        is smaller than ``MOIRE_SIDE`` pixels within the frame.
    """
    left = box.x + (box.width - MOIRE_SIDE) // 2
    top = box.y + (box.height - MOIRE_SIDE) // 2
    area = image[max(0, top) : top + MOIRE_SIDE, max(0, left) : left + MOIRE_SIDE]
    if min(box.width, box.height) < MOIRE_SIDE or area.shape[:2] != (MOIRE_SIDE, MOIRE_SIDE):
        return 0.0
    luma = np.asarray(cv2.cvtColor(area, cv2.COLOR_BGR2GRAY), np.float32)
    detail = (luma - cv2.GaussianBlur(luma, (0, 0), DETAIL_SIGMA)) * _WINDOW
    spectrum = np.log1p(np.abs(np.fft.rfft2(detail))).ravel()
    return _highest(spectrum)


def _highest(spectrum: Floats) -> float:
    """Greatest excess over the median of a ring, in units of its spread (1.48 MAD)."""
    rings = np.where(_PADDING, np.inf, spectrum[_TABLE])
    rings.sort(axis=1)
    middle = rings[_MIDDLE][:, None]
    deviation = np.abs(rings - middle)
    deviation.sort(axis=1)
    spread = 1.4826 * deviation[_MIDDLE] + 1e-3
    return float(((rings[_LAST] - middle[:, 0]) / spread).max())
