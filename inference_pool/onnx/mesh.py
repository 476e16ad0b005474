"""MediaPipe face mesh: 468 points in three dimensions."""

from __future__ import annotations

from math import isfinite, radians
from typing import Any

import numpy as np

from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, Square, line_angle
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.estimation import Image

SIZE = 192
CROP_SCALE = 1.5
"""Side of the crop over the larger side of the face."""
LEVEL_ENOUGH = radians(3)
"""Roll left in the crop with which the mesh is taken as it is; docs/performance.md has the cost."""
MOST_PASSES = 4

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)
"""Corners of the person's own eyes, the one to the picture's left first."""
_EYE_CORNERS = np.array(RIGHT_EYE_CORNERS + LEFT_EYE_CORNERS)


class FaceMesh:
    """Fits the mesh to a face.

    The network wants a level face. The first crop is levelled by the detector's eye points; only
    when the mesh then still shows roll, the crop is taken again from the mesh's own points.

    Args:
        session: session of the 468-point model; it answers the points and a presence logit.
    """

    def __init__(self, session: Any) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 255)
        self._crop: Image = np.empty((SIZE, SIZE, 4), np.uint8)

    def fit(self, image: Image, face: DetectedFace) -> Points:
        """Return the mesh of a face, from its memory if it was fitted before.

        Args:
            image: the frame.
            face: a face of that frame; the mesh is kept in it.

        Returns:
            (468, 3) points in frame pixels, z in the same unit, smaller is nearer.

        Raises:
            EstimationError: the network does not see a face there.
        """
        if face.mesh is None:
            face.mesh = self._fit(image, face)
        return face.mesh

    def _fit(self, image: Image, face: DetectedFace) -> Points:
        square = _from_detection(face)
        for _ in range(MOST_PASSES):
            points, presence = self._run(square.cut(image, self._crop))
            mesh = square.to_frame(points)
            roll = _roll(mesh)
            if abs(roll - square.angle) < LEVEL_ENOUGH:
                break
            square = _about(mesh, roll)
        if not (presence >= 0 and isfinite(mesh.sum())):
            raise EstimationError("the face mesh finds no face in the detected box")
        return mesh

    def _run(self, crop: Image) -> tuple[Points, float]:
        """Return the points in crop pixels and the presence logit."""
        mesh, presence = self._network.run(crop)
        return mesh.reshape(468, 3), float(presence.ravel()[0])


def _from_detection(face: DetectedFace) -> Square:
    box = face.box
    return Square(
        x=box.x + box.width / 2,
        y=box.y + box.height / 2,
        side=CROP_SCALE * max(box.width, box.height, 1),
        angle=line_angle(face.points[0], face.points[1]),
        size=SIZE,
    )


def _about(mesh: Points, roll: float) -> Square:
    """Square about the mesh, levelled by its roll."""
    low, high = mesh.min(axis=0).tolist(), mesh.max(axis=0).tolist()
    return Square(
        x=(low[0] + high[0]) / 2,
        y=(low[1] + high[1]) / 2,
        side=CROP_SCALE * max(1.0, high[0] - low[0], high[1] - low[1]),
        angle=roll,
        size=SIZE,
    )


def _roll(mesh: Points) -> float:
    """Clockwise angle of the line through the middles of both eyes, in radians."""
    corners = mesh.take(_EYE_CORNERS, axis=0)
    return line_angle(corners[0] + corners[1], corners[2] + corners[3])
