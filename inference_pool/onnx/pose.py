"""Head pose: rigid alignment of the canonical face to the mesh's own three dimensions."""

from __future__ import annotations

from math import asin, atan2, degrees, isfinite
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import HeadPose

Rotation = NDArray[np.float64]
"""Matrix (3, 3) from the canonical axes (right and up in the picture, towards the camera)."""

DEPTH_GAIN = 1.25
"""Factor on the mesh's depth, of which the network tells too little: without it a turn of 20
degrees is seen as 18, a nod as 17 (rendered at known angles, docs/estimation.md)."""
PITCH_AT_REST = -6.0
"""Pitch against the canonical face's axes of a person who looks straight into a camera.

Told as 0. It is no error of the measure, which has little on pictures rendered at known angles, but
how people hold their heads: 8 frontal portraits have -7 on the average, 16 others -8."""

_AXES = np.array([[1.0], [-1.0], [-DEPTH_GAIN]])
"""From the frame's axes to the canonical ones."""


class PoseSolver:
    """Measures the rotation of a face mesh against the canonical face.

    The rotation is the one of the similarity (Kabsch-Umeyama) that brings the canonical vertices
    nearest to the mesh; the scale does not change it and is left out.

    Args:
        canonical: path of the canonical face as an OBJ file with 468 vertices.

    Raises:
        ModelError: the file has another number of vertices.
    """

    def __init__(self, canonical: Path) -> None:
        vertices = _vertices(canonical)
        self._canonical = vertices - vertices.mean(axis=0)

    def pose(self, mesh: Points) -> HeadPose:
        """Return the angles of a mesh in frame pixels, (468, 3)."""
        raw = angles(self._rotation(mesh))
        return HeadPose(raw.yaw, raw.pitch - PITCH_AT_REST, raw.roll)

    def _rotation(self, mesh: Points) -> Rotation:
        """Rotate as Kabsch does; the mesh's centre drops out, as the canonical one is 0."""
        seen = mesh.T.astype(np.float64) @ self._canonical
        _, u, vt = cv2.SVDecomp(seen * _AXES)
        rotation: Rotation = np.asarray(u @ vt, np.float64)
        turn = cv2.determinant(rotation)
        if not isfinite(turn):
            raise EstimationError("the face mesh has no extent")
        if turn < 0:  # a mirror image fits best
            u[:, 2] *= -1
            rotation = np.asarray(u @ vt, np.float64)
        return rotation


def angles(rotation: Rotation) -> HeadPose:
    """Split a rotation into degrees: a nod, then a turn, then a tilt in the picture's plane.

    With the tilt last, a camera that is itself tilted changes the roll alone.
    """
    (right, _, _), (up, _, _), (towards, beside, ahead) = rotation.tolist()
    return HeadPose(
        yaw=degrees(asin(min(1.0, max(-1.0, -towards)))),
        pitch=degrees(-atan2(beside, ahead)),
        roll=degrees(-atan2(up, right)),
    )


def _vertices(path: Path) -> NDArray[np.float64]:
    """Read the vertices of an OBJ file."""
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    if len(rows) != 468:
        raise ModelError(f"{path}: found {len(rows)} vertices of the canonical face, expected 468")
    return np.array(rows, np.float64)
