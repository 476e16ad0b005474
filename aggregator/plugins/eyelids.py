"""Measures how far the upper eyelids moved between two frames.

Two grids of an eye differ by the exposure, by the motion of the face, and by the motion of the
upper lid. All three are fitted together to the change of each cell (first-order optical flow, Lucas
and Kanade 1981): brightness by a gain and a plane, the face by an affine motion, the lid by a
vertical shift of the place where an upper lid is. A photograph moves as a whole, however it is
held, bent or lit, so little is left for the lid.

The result follows the eye openness that a contour network measures, at a fraction of its cost, and
is nearer to zero for photographs (docs/plugin-measurements.md).
"""

import numpy as np
from numpy.typing import NDArray

from shared.frame.eyelids import APART, COLUMNS, EYE_COLUMNS, ROWS

Grids = NDArray[np.float64]

EYE_WIDTH = 0.41
"""Width of an eye over the distance between both centres, in MediaPipe's canonical face."""
CELL = 1 / (EYE_WIDTH * APART)
"""Side of a cell in widths of the eye, the unit of this module."""
LID_Y, LID_HEIGHT = -0.22, 0.16
"""Where the upper lid is, as seen from the centre of the eye, and half of the height over which it
moves."""
WEIGHT_X, WEIGHT_Y = 0.6, 0.45
"""Distance from the centre at which a cell's weight has fallen to 1/e: beyond brow and lids the
surface of the face is less and less flat."""
FLAT = 6000.0
"""Added to the square of the lid's gradients. It makes the shift of an eye without contrast zero
instead of noise; it lowers that of an eye with contrast by a few percent."""
SOLVABLE = 1e-3
"""Added to the squares of all other causes, so that a black image has a solution."""


def _places() -> tuple[Grids, Grids]:
    """Coordinates of the inner cells of an eye's grid, x and y."""
    y, x = np.mgrid[1 : ROWS - 1, 1 : EYE_COLUMNS - 1] + 0.5
    return (x - EYE_COLUMNS / 2) * CELL, (y - ROWS / 2) * CELL


_X, _Y = _places()
_ONE = np.ones_like(_X)
_LID = np.exp(-(((_Y - LID_Y) / LID_HEIGHT) ** 2)) * np.clip(1 - (_X / 0.5) ** 2, 0, 1)
_WEIGHT = np.exp(-((_X / WEIGHT_X) ** 2) - (_Y / WEIGHT_Y) ** 2).ravel()
_PLANE = np.stack([_ONE, _X, _Y])
_VERTICAL = np.stack([_ONE, _X, _Y, _LID])
_DAMPING = np.diag([SOLVABLE] * 10 + [FLAT])


def eyelid_motion(before: bytes, after: bytes) -> float:
    """Measure the mean shift of both upper lids between two frames, from their ``Eyelids``.

    Returns:
        The shift against the face in widths of the eye; above zero where the lids were lowered.
    """
    first, second = _grids(before), _grids(after)
    causes = _causes((first + second) / 2)
    change = (second - first)[:, 1:-1, 1:-1].reshape(2, -1, 1)
    weighted = causes * _WEIGHT
    normal = weighted @ causes.transpose(0, 2, 1) + _DAMPING
    shifts = np.linalg.solve(normal, weighted @ change)[:, -1, 0]
    return -float(shifts.mean())  # what moves down has the brightness of the cell above


def _grids(eyelids: bytes) -> Grids:
    """Return the grids of both eyes, (2, rows, columns)."""
    strip = np.frombuffer(eyelids, np.uint8).reshape(ROWS, COLUMNS)
    return np.stack([strip[:, :EYE_COLUMNS], strip[:, APART:]]).astype(np.float64)


def _causes(mean: Grids) -> Grids:
    """Return how each cause changes the inner cells: (2, causes, cells), the lid last."""
    across = (mean[:, 1:-1, 2:] - mean[:, 1:-1, :-2]) / (2 * CELL)
    down = (mean[:, 2:, 1:-1] - mean[:, :-2, 1:-1]) / (2 * CELL)
    inner = mean[:, 1:-1, 1:-1]
    causes = [
        inner[:, None],
        np.broadcast_to(_PLANE, (2, *_PLANE.shape)),
        across[:, None] * _PLANE,
        down[:, None] * _VERTICAL,
    ]
    return np.concatenate(causes, axis=1).reshape(2, len(_DAMPING), -1)
