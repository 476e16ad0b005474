"""YuNet face detector (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from math import exp, sqrt
from typing import NamedTuple

import cv2
import numpy as np

from inference_pool.models.session import Floats, ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, downscaled
from inference_pool.onnx.network import Network
from shared.frame.estimation import Box, Image

SIZE = 320
STRIDES = (8, 16, 32)
SCORE_THRESHOLD = 0.6
NMS_IOU = 0.3
MAX_CELLS = 256
"""Cells decoded at most, those of the highest scores; a face has about eight likely cells."""


class _Cell(NamedTuple):
    """One grid cell: its place in the input, which output has its stride, and its place there."""

    column: int
    row: int
    stride: int
    output: int
    position: int


_CELLS = [
    _Cell(column, row, stride, output, row * (SIZE // stride) + column)
    for output, stride in enumerate(STRIDES)
    for row in range(SIZE // stride)
    for column in range(SIZE // stride)
]


class YuNet:
    """Finds faces in the image scaled to fit a 320-pixel square.

    The network returns per grid cell of three strides: class and object scores, and a box and five
    points relative to the cell.
    """

    OUTPUTS = tuple(
        f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES
    )

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=False)

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Their points are (5, 2): eyes, nose tip and mouth corners.
        """
        small, factor = downscaled(image, SIZE)
        found = self._network.run(small, self.OUTPUTS)
        squares = (np.concatenate(found[0:3], axis=1) * np.concatenate(found[3:6], axis=1)).ravel()
        likely = (squares >= SCORE_THRESHOLD**2).nonzero()[0]
        if not likely.size:
            return []
        if likely.size > MAX_CELLS:
            likely = np.sort(likely[squares[likely].argsort()[-MAX_CELLS:]])
        cells = [_CELLS[number] for number in likely.tolist()]
        scores = [sqrt(min(1.0, square)) for square in squares[likely].tolist()]
        return _decoded(cells, scores, found[6:9], found[9:12], factor)


def _decoded(
    cells: list[_Cell],
    scores: list[float],
    boxes: list[Floats],
    points: list[Floats],
    factor: float,
) -> list[DetectedFace]:
    """Decode the faces of likely cells and suppress overlapping ones."""
    rectangles = [_rectangle(cell, boxes[cell.output][0, cell.position], factor) for cell in cells]
    return [
        DetectedFace(
            box=Box(*map(round, rectangles[i])),
            score=scores[i],
            points=_key_points(cells[i], points[cells[i].output][0, cells[i].position], factor),
        )
        for i in cv2.dnn.NMSBoxes(rectangles, scores, SCORE_THRESHOLD, NMS_IOU)
    ]


def _rectangle(cell: _Cell, box: Floats, factor: float) -> list[float]:
    """Left, top, width and height in frame pixels."""
    scale = cell.stride * factor
    x, y, width, height = box.tolist()
    width, height = exp(width) * scale, exp(height) * scale
    return [
        (cell.column + x) * scale - width / 2,
        (cell.row + y) * scale - height / 2,
        width,
        height,
    ]


def _key_points(cell: _Cell, points: Floats, factor: float) -> Points:
    """Key points in frame pixels, (5, 2)."""
    absolute = points.reshape(5, 2) + np.array((cell.column, cell.row), np.float32)
    return absolute * np.float32(cell.stride * factor)
