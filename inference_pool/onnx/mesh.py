"""MediaPipe face mesh: 468 points in three dimensions."""

from __future__ import annotations

from math import radians
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
"""Roll left in the crop with which the mesh is taken as it is."""
MOST_PASSES = 4

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)
"""Corners of the person's own eyes, the one to the picture's left first."""


class FaceMesh:
    """Fits the mesh to a face.

    The network wants a level face. The first crop is levelled by the detector's eye points; only
    when the mesh then still shows roll, the crop is taken again from the mesh's own points.

    Args:
        session: session of the 468-point model; it answers the points and a presence logit.
    """

    def __init__(self, session: Any) -> None:
        self._network = Network(session, (1, 3, SIZE, SIZE), rgb=True, scale=1 / 255)
        self._crop: Image = np.empty((SIZE, SIZE, 3), np.uint8)

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
            levelled = _from_mesh(mesh)
            if abs(levelled.angle - square.angle) < LEVEL_ENOUGH:
                break
            square = levelled
        if presence < 0:
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


def _from_mesh(mesh: Points) -> Square:
    """Square about the mesh, levelled by its eyes."""
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    centre = (low + high) / 2
    return Square(
        x=float(centre[0]),
        y=float(centre[1]),
        side=CROP_SCALE * max(1.0, float((high - low).max())),
        angle=line_angle(
            mesh[list(RIGHT_EYE_CORNERS)].mean(0), mesh[list(LEFT_EYE_CORNERS)].mean(0)
        ),
        size=SIZE,
    )
