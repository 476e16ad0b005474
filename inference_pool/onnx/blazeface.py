"""BlazeFace detector (Bazarevsky and others: "BlazeFace: Sub-millisecond Neural Face Detection").

Part of the fallback model set; its results have the form of the reference detector's.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.models.session import Floats, ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, downscaled
from inference_pool.onnx.network import Network
from shared.frame.estimation import Box, Image

SIZE = 256
ANCHORS_PER_CELL = {16: 2, 32: 6}
"""Anchors per grid cell, by stride; all lie at the cell's centre."""
SCORE_THRESHOLD = 0.5
LOGIT_THRESHOLD = float(np.log(SCORE_THRESHOLD / (1 - SCORE_THRESHOLD)))
NMS_IOU = 0.3

WIDTH, HEIGHT, RISE = 0.89, 1.22, 0.11
"""Width, height and upward shift of YuNet's box relative to the side of BlazeFace's square (medians
of 14 portraits). With them a face has the same size and margins with either detector."""


class BlazeFace:
    """Finds faces in the image scaled to fit a 256-pixel square.

    The network returns per anchor a score logit, and a box centre, a box size and six points in
    pixels. All but the size are relative to the anchor.
    """

    OUTPUTS = ("scores_16", "scores_32", "boxes_16", "boxes_32")

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 127.5, offset=-1.0)
        self._anchors = np.concatenate(
            [_anchors(stride, count) for stride, count in ANCHORS_PER_CELL.items()]
        )

    def detect(self, image: Image) -> list[DetectedFace]:
        """Find the faces of an image, best first.

        Their points are (6, 2): eyes, nose tip, centre of the mouth, ears.
        """
        small, factor = downscaled(image, SIZE, cv2.INTER_AREA)
        found = self._network.run(small, self.OUTPUTS)
        logits = np.concatenate(found[:2], axis=1)[0, :, 0]
        likely = np.flatnonzero(logits >= LOGIT_THRESHOLD)
        if not likely.size:
            return []
        boxes = np.concatenate(found[2:], axis=1)[0, likely]
        scores = (1 / (1 + np.exp(-logits[likely]))).astype(np.float32)
        return self._faces(scores, boxes, self._anchors[likely], factor)

    @staticmethod
    def _faces(scores: Floats, boxes: Floats, anchors: Points, factor: float) -> list[DetectedFace]:
        """Decode the likely anchors and suppress overlapping boxes."""
        side = boxes[:, 2:4]
        size = side * np.array((WIDTH, HEIGHT), np.float32)
        centre = anchors + boxes[:, :2] - side * np.array((0, RISE), np.float32)
        rectangles: Floats = np.concatenate((centre - size / 2, size), axis=1)
        rectangles *= factor
        kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), SCORE_THRESHOLD, NMS_IOU)
        return [
            DetectedFace(
                box=Box(*(round(float(value)) for value in rectangles[i])),
                score=float(scores[i]),
                points=(boxes[i, 4:].reshape(6, 2) + anchors[i]) * np.float32(factor),
            )
            for i in np.asarray(kept).ravel()
        ]


def _anchors(stride: int, count: int) -> NDArray[np.float32]:
    """Anchor centres of a stride's grid cells, row by row."""
    cells = SIZE // stride
    rows, columns = np.mgrid[:cells, :cells].astype(np.float32)
    centres = (np.stack((columns.ravel(), rows.ravel()), axis=1) + np.float32(0.5)) * stride
    return np.repeat(centres, count, axis=0).astype(np.float32)
