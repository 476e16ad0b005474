"""Motion of the background behind a person, between two scenes of a camera that does not move.

What a hand holds moves as a whole, and its surroundings in the picture with it. A person moves
before a background that stays. So of the changes between two scenes only those count that a shift
of the scene explains (first-order optical flow, Lucas and Kanade 1981), on both sides of the face:
someone who walks past, a swaying curtain or a screen changes one side, or in a way that no shift
explains. A gain and an offset, which a camera's exposure control changes, are fitted first.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Box
from shared.frame.scene import COLUMNS, ROWS

Grid = NDArray[np.float64]
Mask = NDArray[np.bool_]

MIN_CELLS = 20
"""Cells of one side from which it says anything: some five times the fitted numbers."""
HEAD_WIDTH, HEAD_TOP = 1.9, 0.8
"""Width of the head with hair over that of the face box, and its top above the box in box heights;
a margin for the person's own motion is included."""
SHOULDER_WIDTH, SHOULDER_TOP = 3.4, 0.85
"""Width of the shoulders over that of the face box, and where they start in box heights."""
CELL = 3
"""Cells over which a scene is smoothed: shifts by more than a cell, 27 pixels, then show too."""


def background_motion(
    before: bytes, after: bytes, faces: tuple[Box, Box], size: tuple[int, int]
) -> float | None:
    """Measure how far a shift explains the change of the background.

    Args:
        before: scene of the earlier frame.
        after: scene of the later frame.
        faces: face boxes in both frames, in pixels.
        size: width and height of the frames, in pixels.

    Returns:
        Root mean square of the explained change in grey levels, of the side with less of it; None
        if the person covers the background.
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
    """Root of what the shift takes off the mean square that exposure leaves."""
    both = np.concatenate([exposure, shift], axis=-1)
    return float(np.sqrt(max(0.0, _residue(change, exposure) - _residue(change, both))))


def _residue(change: Grid, causes: Grid) -> float:
    """Mean square of a change that a linear fit of the causes leaves."""
    weights = np.linalg.lstsq(causes, change, rcond=None)[0]
    return float(np.mean((change - causes @ weights) ** 2))


def _sides(faces: tuple[Box, Box], size: tuple[int, int]) -> Iterator[Mask]:
    """Yield the cells to the left and to the right of the person, where there are enough."""
    x: Grid = (np.arange(COLUMNS, dtype=np.float64) + 0.5) * (size[0] / COLUMNS)
    y: Grid = (np.arange(ROWS, dtype=np.float64)[:, None] + 0.5) * (size[1] / ROWS)
    covered = _person(faces[0], x, y) | _person(faces[1], x, y)
    centre = sum(box.x + box.width / 2 for box in faces) / len(faces)
    for side in (x < centre, x >= centre):
        cells = ~covered & side
        if cells.sum() >= MIN_CELLS:
            yield cells


def _person(face: Box, x: Grid, y: Grid) -> Mask:
    """Cells that head and shoulders may cover."""
    aside = np.abs(x - (face.x + face.width / 2))
    head = (aside < HEAD_WIDTH / 2 * face.width) & (y > face.y - HEAD_TOP * face.height)
    shoulders = (aside < SHOULDER_WIDTH / 2 * face.width) & (
        y > face.y + SHOULDER_TOP * face.height
    )
    return np.asarray(head | shoulders, np.bool_)
