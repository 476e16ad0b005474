"""YuNet face detector (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from functools import cache
from math import exp, sqrt
from typing import NamedTuple

import cv2
import numpy as np

from inference_pool.models.session import Floats, ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, downscaled
from inference_pool.onnx.network import Network
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import Box, Image

SIZE = 320
STRIDES = (8, 16, 32)
SCORE_THRESHOLD = 0.6
NMS_IOU = 0.3
QUICK_SIZE = 160
"""Side of the input for a quick look, which takes a quarter of the time."""
MAX_CELLS = 256
"""Cells decoded at most, those of the highest scores; a face has about eight likely cells."""


class _Cell(NamedTuple):
    """One grid cell: its place in the input, which output has its stride, and its place there."""

    column: int
    row: int
    stride: int
    output: int
    position: int


@cache
def _cells(size: int) -> list[_Cell]:
    """The cells of a square input, in the order of the outputs."""
    return [
        _Cell(column, row, stride, output, row * (size // stride) + column)
        for output, stride in enumerate(STRIDES)
        for row in range(size // stride)
        for column in range(size // stride)
    ]


class YuNet:
    """Finds faces in the image scaled to fit a square of ``size`` pixels, a multiple of 32.

    The network returns per grid cell of three strides: class and object scores, and a box and five
    points relative to the cell.
    """

    OUTPUTS = tuple(
        f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES
    )

    def __init__(self, session: ModelSession, size: int = SIZE) -> None:
        self._network = Network(session, (size, size), rgb=False, any_size=True)
        self._size = size
        self._cells = _cells(size)
        self._require_cells()

    @classmethod
    def quick(cls, session: ModelSession) -> YuNet | None:
        """Return a detector for quick looks; None if the network takes images of one size only."""
        try:
            return cls(session, QUICK_SIZE)
        except ModelError:
            return None

    def _require_cells(self) -> None:
        """Run the network once: one that scales its input would return the cells of another size.

        Raises:
            ModelError: it does so, or it fails.
        """
        black = np.zeros((self._size, self._size, 3), np.uint8)
        try:
            scores = self._network.run(black, self.OUTPUTS[: len(STRIDES)])
        except EstimationError as error:
            raise ModelError(str(error)) from error
        found = sum(score.shape[1] for score in scores)
        if found != len(self._cells):
            raise ModelError(
                f"the detector returns {found} cells for {self._size} pixels,"
                f" expected {len(self._cells)}"
            )

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Their points are (5, 2): eyes, nose tip and mouth corners.
        """
        small, factor = downscaled(image, self._size)
        found = self._network.run(small, self.OUTPUTS)
        squares = (np.concatenate(found[0:3], axis=1) * np.concatenate(found[3:6], axis=1)).ravel()
        likely = (squares >= SCORE_THRESHOLD**2).nonzero()[0]
        if not likely.size:
            return []
        if likely.size > MAX_CELLS:
            likely = np.sort(likely[squares[likely].argsort()[-MAX_CELLS:]])
        cells = [self._cells[number] for number in likely.tolist()]
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
