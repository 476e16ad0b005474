"""BlazeFace detector (Bazarevsky and others: "BlazeFace: Sub-millisecond Neural Face Detection").

It belongs to the fallback models and answers as the reference detector does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.models.session import Floats, ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, shrunk
from inference_pool.onnx.network import Network
from shared.frame.estimation import Box, Image

SIZE = 256
ANCHORS_PER_CELL = {16: 2, 32: 6}
"""Anchors of each grid cell, by stride; all of them are the cell's centre."""
SCORE_THRESHOLD = 0.5
NMS_IOU = 0.3

WIDTH, HEIGHT, RISE = 0.89, 1.22, 0.11
"""Width and height of YuNet's box over the side of BlazeFace's square, and how far its centre lies
higher (medians of 14 portraits): a face then has the same size and margins with either detector."""


class BlazeFace:
    """Finds faces in the picture scaled into a 256-pixel square, aspect kept.

    The network answers per anchor: a score logit, and centre, size and six points in pixels, all
    but the size relative to the anchor.

    Args:
        session: session of ``blazeface_256.onnx``.
    """

    OUTPUTS = ("scores_16", "scores_32", "boxes_16", "boxes_32")

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 127.5, offset=-1.0)
        self._anchors = np.concatenate(
            [_anchors(stride, count) for stride, count in ANCHORS_PER_CELL.items()]
        )

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Args:
            image: (height, width, 3) BGR.

        Returns:
            The faces. ``points`` are (6, 2): eyes and nose tip as ever, then the mouth's centre
            and both ears in place of the mouth's corners.
        """
        picture, shrink = shrunk(image, SIZE, cv2.INTER_AREA)
        found = self._network.run(picture, self.OUTPUTS)
        logits = np.concatenate(found[:2], axis=1)[0, :, 0]
        likely = np.flatnonzero(logits >= _logit(SCORE_THRESHOLD))
        if not likely.size:
            return []
        boxes = np.concatenate(found[2:], axis=1)[0, likely]
        scores = (1 / (1 + np.exp(-logits[likely]))).astype(np.float32)
        return self._faces(scores, boxes, self._anchors[likely], shrink)

    @staticmethod
    def _faces(scores: Floats, boxes: Floats, anchors: Points, shrink: float) -> list[DetectedFace]:
        """Decode the likely anchors and keep the best of overlapping boxes."""
        side = boxes[:, 2:4]
        size = side * np.array((WIDTH, HEIGHT), np.float32)
        centre = anchors + boxes[:, :2] - side * np.array((0, RISE), np.float32)
        rectangles: Floats = np.concatenate((centre - size / 2, size), axis=1)
        rectangles *= shrink
        kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), SCORE_THRESHOLD, NMS_IOU)
        return [
            DetectedFace(
                box=Box(*(round(float(value)) for value in rectangles[i])),
                score=float(scores[i]),
                points=(boxes[i, 4:].reshape(6, 2) + anchors[i]) * np.float32(shrink),
            )
            for i in np.asarray(kept).ravel()
        ]


def _anchors(stride: int, count: int) -> NDArray[np.float32]:
    """Centres of a stride's grid cells, row by row, each as often as it has anchors."""
    cells = SIZE // stride
    rows, columns = np.mgrid[:cells, :cells].astype(np.float32)
    centres = (np.stack((columns.ravel(), rows.ravel()), axis=1) + np.float32(0.5)) * stride
    return np.repeat(centres, count, axis=0).astype(np.float32)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
