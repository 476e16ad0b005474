"""YuNet face detector (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt
from typing import Any, NamedTuple

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


class _Candidate(NamedTuple):
    """What one grid cell tells of a face: a box and points relative to it, in cells."""

    score: float
    place: tuple[int, int]
    stride: int
    box: list[float]
    points: Floats

    def rectangle(self, shrink: float) -> list[float]:
        """Left, top, width and height in pixels of the frame."""
        scale = self.stride * shrink
        x, y, width, height = self.box
        width, height = exp(width) * scale, exp(height) * scale
        column, row = self.place
        return [(column + x) * scale - width / 2, (row + y) * scale - height / 2, width, height]

    def key_points(self, shrink: float) -> Points:
        """All points in pixels of the frame, (5, 2)."""
        placed = self.points.reshape(5, 2) + np.array(self.place, np.float32)
        return placed * np.float32(self.stride * shrink)


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

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            The faces. ``points`` are (5, 2): eyes, nose tip and mouth corners.
        """
        picture, shrink = shrunk(image, SIZE)
        return _best(list(_likely(self._network.run(picture, self.OUTPUTS))), shrink)


def _likely(found: list[Floats]) -> Iterator[_Candidate]:
    """Take the cells that may hold a face, stride by stride."""
    for number, stride in enumerate(STRIDES):
        cls, obj, boxes, points = found[4 * number : 4 * number + 4]
        squares = (cls * obj).ravel()
        for cell in (squares >= LEAST_SCORE**2).nonzero()[0].tolist():
            row, column = divmod(cell, SIZE // stride)
            score = sqrt(min(1.0, float(squares[cell])))
            yield _Candidate(score, (column, row), stride, boxes[0, cell].tolist(), points[0, cell])


def _best(candidates: list[_Candidate], shrink: float) -> list[DetectedFace]:
    """Keep the best of overlapping candidates."""
    if not candidates:
        return []
    rectangles = [candidate.rectangle(shrink) for candidate in candidates]
    scores = [candidate.score for candidate in candidates]
    return [
        DetectedFace(
            box=Box(*map(round, rectangles[i])),
            score=scores[i],
            points=candidates[i].key_points(shrink),
        )
        for i in cv2.dnn.NMSBoxes(rectangles, scores, LEAST_SCORE, MOST_OVERLAP)
    ]
