"""Eye openness from the face mesh; where that is unclear, from the eye contour model."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import cv2
import numpy as np

from inference_pool.models.session import ModelSession
from inference_pool.onnx.geometry import Points, Square, distance, line_angle
from inference_pool.onnx.mesh import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from inference_pool.onnx.network import Network
from shared.frame.estimation import Eyes, Image

SIZE = 64
CROP_SCALE = 2.3
"""Side of the crop in widths of the eye."""
SURELY_OPEN = 0.28
"""An eye with at least this openness on the mesh is open; closed eyes have 0.14 to 0.22."""


@dataclass(frozen=True)
class _Eye:
    """Mesh vertices of one of the person's own eyes."""

    corners: tuple[int, int]
    upper: int
    lower: int
    mirrored: bool


RIGHT = _Eye(RIGHT_EYE_CORNERS, 159, 145, mirrored=False)
LEFT = _Eye(LEFT_EYE_CORNERS, 386, 374, mirrored=True)


class EyeOpenness:
    """Measures openness: the distance of the lids divided by the width of the eye.

    The session runs the MediaPipe iris model, whose first output is the eye's contour. It is not
    run for eyes that are surely open on the mesh; without a session the mesh alone decides.
    """

    def __init__(
        self, session: ModelSession | None, open_from: float, surely_open: float = SURELY_OPEN
    ) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 255) if session else None
        self._crop: Image = np.empty((SIZE, SIZE, 4), np.uint8)
        self._open_from = open_from
        self._surely_open = surely_open

    def with_threshold(self, open_from: float) -> EyeOpenness:
        """Return a copy with the same network and another threshold."""
        twin = copy.copy(self)
        twin._open_from = open_from
        return twin

    def measure(self, image: Image, mesh: Points, *, careful: bool) -> Eyes:
        """Measure both eyes of a face with a mesh (468, 3).

        If ``careful``, the contour model runs even where the mesh shows an open eye.
        """
        left = self._openness(image, mesh, LEFT, careful)
        right = self._openness(image, mesh, RIGHT, careful)
        return Eyes(
            left=left,
            right=right,
            left_open=left >= self._open_from,
            right_open=right >= self._open_from,
        )

    def _openness(self, image: Image, mesh: Points, eye: _Eye, careful: bool) -> float:
        by_mesh = on_mesh(mesh, eye)
        if self._network is None or (by_mesh >= self._surely_open and not careful):
            return by_mesh
        crop = _around(mesh, eye).cut(image, self._crop)
        if eye.mirrored:
            cv2.flip(crop, 1, dst=crop)
        contour = self._network.run(crop, self._network.outputs[:1])[0].reshape(71, 3)
        return distance(contour[4], contour[12]) / max(1.0, distance(contour[0], contour[8]))


def on_mesh(mesh: Points, eye: _Eye) -> float:
    """Openness of one eye from the mesh alone."""
    first, second = eye.corners
    width = max(1.0, distance(mesh[first], mesh[second]))
    return distance(mesh[eye.upper], mesh[eye.lower]) / width


def _around(mesh: Points, eye: _Eye) -> Square:
    first, second = (mesh[corner] for corner in eye.corners)
    return Square(
        x=float(first[0] + second[0]) / 2,
        y=float(first[1] + second[1]) / 2,
        side=CROP_SCALE * max(1.0, distance(first, second)),
        angle=line_angle(first, second),
        size=SIZE,
    )
