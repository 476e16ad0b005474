"""Head pose: rigid alignment of the canonical face to the 3D face mesh."""

from math import asin, atan2, degrees, isfinite
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import HeadPose

Rotation = NDArray[np.float64]
"""Matrix (3, 3) from the canonical axes (right, up and towards the camera)."""

DEPTH_GAIN = 1.25
"""Factor on the mesh's depth, which the network underestimates: without it a yaw of 20 degrees is
measured as 18 and a pitch of 20 as 17 (rendered at known angles, docs/experiments.md)."""
PITCH_AT_REST = -6.0
"""Pitch relative to the canonical face of a person who looks straight into a camera; subtracted.

It is not a measurement error, which is small on images rendered at known angles, but how people
hold their heads: the mean of 8 frontal portraits is -7, of 16 others -8."""

_AXES = np.array([[1.0], [-1.0], [-DEPTH_GAIN]])
"""Maps the frame's axes to the canonical ones."""


class PoseSolver:
    """Measures the rotation of a face mesh against the canonical face.

    It is the rotation of the least-squares similarity (Kabsch-Umeyama) from the canonical
    vertices, read from an OBJ file, to the mesh. The scale has no effect and is not computed.

    Raises:
        ModelError: the file has another number of vertices.
    """

    def __init__(self, canonical: Path) -> None:
        vertices = _vertices(canonical)
        self._canonical = vertices - vertices.mean(axis=0)

    def pose(self, mesh: Points) -> HeadPose:
        """Return the angles of a mesh (468, 3) in frame pixels."""
        raw = angles(self._rotation(mesh))
        return HeadPose(raw.yaw, raw.pitch - PITCH_AT_REST, raw.roll)

    def _rotation(self, mesh: Points) -> Rotation:
        """Kabsch rotation; the mesh's centre has no effect because the canonical one is 0."""
        seen = mesh.T.astype(np.float64) @ self._canonical
        _, u, vt = cv2.SVDecomp(seen * _AXES)
        rotation: Rotation = np.asarray(u @ vt, np.float64)
        turn = cv2.determinant(rotation)
        if not isfinite(turn):
            raise EstimationError("the face mesh has no extent")
        if turn < 0:  # the best fit is a reflection
            u[:, 2] *= -1
            rotation = np.asarray(u @ vt, np.float64)
        return rotation


def angles(rotation: Rotation) -> HeadPose:
    """Decompose a rotation into degrees of pitch, then yaw, then roll in the image plane.

    With roll last, a tilted camera changes the roll alone.
    """
    (right, _, _), (up, _, _), (towards, beside, ahead) = rotation.tolist()
    return HeadPose(
        yaw=degrees(asin(min(1.0, max(-1.0, -towards)))),
        pitch=degrees(-atan2(beside, ahead)),
        roll=degrees(-atan2(up, right)),
    )


def _vertices(path: Path) -> NDArray[np.float64]:
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    if len(rows) != 468:
        raise ModelError(f"{path}: found {len(rows)} vertices of the canonical face, expected 468")
    return np.array(rows, np.float64)
