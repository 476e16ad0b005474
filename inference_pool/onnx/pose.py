"""Head pose: rigid alignment of the canonical face to the mesh's own three dimensions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.geometry import Points
from shared.errors import EstimationError, ModelError
from shared.estimation import HeadPose

Rotation = NDArray[np.float64]
"""Matrix (3, 3) from the canonical axes (right and up in the picture, towards the camera)."""

DEPTH_GAIN = 1.25
"""Factor on the mesh's depth, of which the network tells too little: without it a turn of 20
degrees is seen as 18, a nod as 17 (rendered at known angles, docs/estimation.md)."""
PITCH_AT_REST = -6.0
"""Pitch against the canonical face's axes of a person who looks straight into a camera.

Told as 0. It is no error of the measure, which has little on pictures rendered at known angles, but
how people hold their heads: 8 frontal portraits have -7 on the average, 16 others -8."""


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
        return replace(raw, pitch=raw.pitch - PITCH_AT_REST)

    def _rotation(self, mesh: Points) -> Rotation:
        seen = (mesh - mesh.mean(axis=0)) * (1.0, -1.0, -DEPTH_GAIN)
        try:
            u, _, vt = np.linalg.svd(seen.T @ self._canonical)
        except np.linalg.LinAlgError as error:
            raise EstimationError("the face mesh has no extent") from error
        mirror = np.sign(np.linalg.det(u @ vt)) or 1.0
        rotation: Rotation = u @ np.diag((1.0, 1.0, mirror)) @ vt
        return rotation


def angles(rotation: Rotation) -> HeadPose:
    """Split a rotation into degrees: a nod, then a turn, then a tilt in the picture's plane.

    With the tilt last, a camera that is itself tilted changes the roll alone.
    """
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1.0, 1.0))
    pitch = -np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = -np.arctan2(rotation[1, 0], rotation[0, 0])
    return HeadPose(
        yaw=float(np.degrees(yaw)),
        pitch=float(np.degrees(pitch)),
        roll=float(np.degrees(roll)),
    )


def _vertices(path: Path) -> NDArray[np.float64]:
    """Read the vertices of an OBJ file."""
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    if len(rows) != 468:
        raise ModelError(f"{path}: found {len(rows)} vertices of the canonical face, expected 468")
    return np.array(rows, np.float64)
