"""YuNet face detector (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, shrunk
from inference_pool.onnx.network import Floats, Network
from shared.estimation import Box, Image

SIZE = 320
STRIDES = (8, 16, 32)
LEAST_SCORE = 0.6
MOST_OVERLAP = 0.3

Candidates = tuple[Floats, Floats, Floats]
"""Scores (n,), rectangles (n, 4) and points (n, 5, 2) in pixels of the network's picture."""


class YuNet:
    """Finds faces in the picture scaled into a 320-pixel square, aspect kept.

    The network answers per grid cell of three strides: class and object scores, a box and five
    points relative to the cell.

    Args:
        session: session of ``yunet_s_320_320.onnx``.
    """

    OUTPUTS = tuple(
        f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")
    )

    def __init__(self, session: Any) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=False)
        self._grids = [_cells(stride) for stride in STRIDES]

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            The faces. ``points`` are (5, 2): eyes, nose tip and mouth corners.
        """
        picture, shrink = shrunk(image, SIZE)
        candidates = list(self._likely(self._network.run(picture, self.OUTPUTS)))
        if not candidates:
            return []
        scores, rectangles, points = map(np.concatenate, zip(*candidates, strict=True))
        scale = np.float32(shrink)
        return _best(scores, rectangles * scale, points * scale)

    def _likely(self, found: list[Floats]) -> Iterator[Candidates]:
        """Decode the cells that may hold a face, stride by stride."""
        for place, (stride, grid) in enumerate(zip(STRIDES, self._grids, strict=True)):
            cls, obj, boxes, points = found[4 * place : 4 * place + 4]
            squares = (cls * obj).ravel()
            (cells,) = (squares >= LEAST_SCORE**2).nonzero()
            if cells.size:
                scores = np.sqrt(np.minimum(squares[cells], 1))
                yield scores, *_decoded(boxes[0, cells], points[0, cells], grid[cells], stride)


def _decoded(boxes: Floats, points: Floats, origin: Points, stride: int) -> tuple[Floats, Floats]:
    """Bring what is told relative to some cells into the picture: rectangles and points."""
    centre = (origin + boxes[:, :2]) * np.float32(stride)
    size = np.exp(boxes[:, 2:]) * np.float32(stride)
    placed = (points.reshape(-1, 5, 2) + origin[:, None]) * np.float32(stride)
    return np.concatenate((centre - size / 2, size), axis=1), placed


def _best(scores: Floats, rectangles: Floats, points: Floats) -> list[DetectedFace]:
    """Keep the best of overlapping candidates."""
    listed = rectangles.tolist()
    kept = cv2.dnn.NMSBoxes(listed, scores.tolist(), LEAST_SCORE, MOST_OVERLAP)
    return [
        DetectedFace(box=Box(*map(round, listed[i])), score=float(scores[i]), points=points[i])
        for i in kept
    ]


def _cells(stride: int) -> Points:
    """Column and row of each grid cell of a stride, (cells, 2), row by row."""
    count = SIZE // stride
    rows, columns = np.mgrid[:count, :count].astype(np.float32)
    return np.stack((columns.ravel(), rows.ravel()), axis=1)
