"""Measures the motion of the background behind a person, for a camera that does not move.

A hand-held photo or screen moves as a whole, including the background it shows; a real person moves
in front of a static background. So only those changes between two scenes count that a shift of the
scene explains (first-order optical flow, Lucas and Kanade 1981), and only on both sides of the
face: a passer-by, a curtain or a screen changes one side, or not like a shift. Gain and offset,
which the camera's exposure control changes, are fitted first.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Box
from shared.frame.scene import COLUMNS, ROWS

Grid = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_CELLS = 20
"""Minimum number of cells to use a side: about five times the number of fitted parameters."""
HEAD_WIDTH, HEAD_TOP = 1.9, 0.8
"""Width of the head with hair, in widths of the face box, and its top above the box, in heights of
the box; both include a margin for the person's own motion."""
SHOULDER_WIDTH, SHOULDER_TOP = 3.4, 0.85
"""Width of the shoulders in widths of the face box, and where they start in heights of the box."""
CELL = 3
"""Cells over which a scene is smoothed, to detect shifts of more than one cell (27 pixels)."""


def background_motion(
    before: bytes, after: bytes, faces: tuple[Box, Box], size: tuple[int, int]
) -> float | None:
    """Measure how far a shift explains the change of the background between two scenes.

    The face boxes in both frames and their size, width and height, are in pixels.

    Returns:
        Root mean square of the explained change in grey levels, on the side where it is smaller;
        None if the person covers the background.
    """
    first, second = _grid(before), _grid(after)
    mean, change = (first + second) / 2, second - first
    down, across = np.gradient(mean)
    exposure = np.stack([mean, np.ones_like(mean)], axis=-1)
    shift = np.stack([across, down], axis=-1)
    explained = [
        _explained(change[side], exposure[side], shift[side]) for side in _sides(faces, size)
    ]
    return min(explained, default=None)


def _grid(scene: bytes) -> Grid:
    cells = np.frombuffer(scene, np.uint8).reshape(ROWS, COLUMNS).astype(np.float64)
    smooth = cv2.blur(cells, (CELL, CELL), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float64)


def _explained(change: Grid, exposure: Grid, shift: Grid) -> float:
    """Return the root of the mean square that the shift explains beyond exposure."""
    both = np.concatenate([exposure, shift], axis=-1)
    return float(np.sqrt(max(0.0, _residue(change, exposure) - _residue(change, both))))


def _residue(change: Grid, causes: Grid) -> float:
    """Return the mean square of a change that a linear fit of the causes leaves."""
    weights = np.linalg.lstsq(causes, change, rcond=None)[0]
    return float(np.mean((change - causes @ weights) ** 2))


def _sides(faces: tuple[Box, Box], size: tuple[int, int]) -> Iterator[Mask]:
    """Yield the cells to the left and to the right of the person, if there are enough."""
    x: Grid = (np.arange(COLUMNS, dtype=np.float64) + 0.5) * (size[0] / COLUMNS)
    y: Grid = (np.arange(ROWS, dtype=np.float64)[:, None] + 0.5) * (size[1] / ROWS)
    covered = _person(faces[0], x, y) | _person(faces[1], x, y)
    centre = sum(box.x + box.width / 2 for box in faces) / len(faces)
    for side in (x < centre, x >= centre):
        cells = ~covered & side
        if cells.sum() >= MIN_CELLS:
            yield cells


def _person(face: Box, x: Grid, y: Grid) -> Mask:
    """Return the cells that head and shoulders may cover."""
    aside = np.abs(x - (face.x + face.width / 2))
    head = (aside < HEAD_WIDTH / 2 * face.width) & (y > face.y - HEAD_TOP * face.height)
    shoulders = (aside < SHOULDER_WIDTH / 2 * face.width) & (
        y > face.y + SHOULDER_TOP * face.height
    )
    return np.asarray(head | shoulders, np.bool_)
