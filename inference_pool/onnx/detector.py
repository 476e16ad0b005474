"""YuNet face detector (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, width_and_height
from inference_pool.onnx.network import Floats, Network
from shared.estimation import Box, Image

SIZE = 320
STRIDES = (8, 16, 32)
LEAST_SCORE = 0.6
MOST_OVERLAP = 0.3


class YuNet:
    """Finds faces in the picture scaled into a 320-pixel square, aspect kept.

    The network answers per grid cell of three strides: class and object scores, a box and five
    points relative to the cell.

    Args:
        session: session of ``yunet_s_320_320.onnx``.
    """

    OUTPUTS = tuple(
        f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES
    )

    def __init__(self, session: Any) -> None:
        self._network = Network(session, (1, 3, SIZE, SIZE), rgb=False)
        self._canvas: Image = np.zeros((SIZE, SIZE, 3), np.uint8)
        grids = [_cells(stride) for stride in STRIDES]
        self._cells = np.concatenate(grids)
        self._strides = np.concatenate(
            [
                np.full(len(grid), stride, np.float32)
                for grid, stride in zip(grids, STRIDES, strict=True)
            ]
        )

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            The faces. ``points`` are (5, 2): eyes, nose tip and mouth corners.
        """
        shrink = self._letterbox(image)
        found = self._network.run(self._canvas, self.OUTPUTS)
        cls, obj, boxes, points = (
            np.concatenate(found[kind : kind + 3], axis=1)[0] for kind in range(0, 12, 3)
        )
        scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        likely = np.flatnonzero(scores >= LEAST_SCORE)
        if not likely.size:
            return []
        return self._faces(likely, scores[likely], boxes[likely], points[likely], shrink)

    def _letterbox(self, image: Image) -> float:
        """Scale the image into the canvas's upper left corner; answer pixels per canvas pixel."""
        width, height = width_and_height(image)
        shrink = max(height, width) / SIZE
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        self._canvas[size[1] :] = 0
        self._canvas[:, size[0] :] = 0
        cv2.resize(image, size, dst=self._canvas[: size[1], : size[0]])
        return shrink

    def _faces(
        self, likely: NDArray[np.intp], scores: Floats, boxes: Floats, points: Floats, shrink: float
    ) -> list[DetectedFace]:
        """Decode the likely cells and keep the best of overlapping boxes."""
        stride = self._strides[likely, None]
        origin = self._cells[likely]
        centre = (origin + boxes[:, :2]) * stride
        size = np.exp(boxes[:, 2:]) * stride
        corner = centre - size / 2
        rectangles = np.concatenate((corner, size), axis=1) * shrink
        kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), LEAST_SCORE, MOST_OVERLAP)
        return [
            DetectedFace(
                box=_box(rectangles[i]),
                score=float(scores[i]),
                points=(points[i].reshape(5, 2) + origin[i]) * stride[i] * np.float32(shrink),
            )
            for i in np.asarray(kept).ravel()
        ]


def _cells(stride: int) -> Points:
    """Column and row of each grid cell of a stride, (cells, 2), row by row."""
    count = SIZE // stride
    rows, columns = np.mgrid[:count, :count].astype(np.float32)
    return np.stack((columns.ravel(), rows.ravel()), axis=1)


def _box(rectangle: Floats) -> Box:
    x, y, width, height = (round(float(value)) for value in rectangle)
    return Box(x, y, width, height)
