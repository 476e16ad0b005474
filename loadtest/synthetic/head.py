"""Geometry of a synthetic head: the portrait's mesh, rotated and with an opened jaw.

Rings of points around the face follow its motion less and less towards the outside, so hair and
neck move along and the background does not.
"""

import numpy as np
from numpy.typing import NDArray

from loadtest.synthetic.features import (
    CHIN,
    LOWER_LIP,
    MESH_POINTS,
    MOUTH_CORNERS,
    OVAL,
    UPPER_LIP,
)
from loadtest.synthetic.look import Look
from loadtest.synthetic.portrait import Mesh
from loadtest.synthetic.warp import Triangles, delaunay

Solid = NDArray[np.float64]
"""Points in space, shape (N, 3), pixels: x right, y down, z away from the camera."""

_DEPTH_GAIN = 1.5
"""The mesh underestimates depth; without this factor half of a yaw rotation would be lost."""
_YAW_GAIN = 1.1
_PITCH_GAIN = 0.85
"""Degrees of mesh rotation per degree of yaw or pitch that a pose estimator measures. It measures
less yaw and more pitch than the mesh was rotated (mean of several portraits)."""
_DEPTH_QUANTILE = 0.95
"""Depths above this quantile are clipped to it. The far sides of the cheeks, which cover only a few
pixels of a portrait, would be drawn as spikes when the head turns."""
_RINGS = ((2.3, 0.0), (1.7, 0.5), (1.3, 0.9), (1.0, 1.0))
"""Size of each ring in sizes of the face, and its share of the head's motion; outermost first."""
_JAW_DROP = 0.45
"""Distance that the lower lip moves to a wide open mouth, in widths of the mouth."""


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation of a head for column vectors with x right, y down, z away from the camera.

    Args:
        yaw: degrees towards the person's own left (the image's right).
        pitch: degrees chin up.
        roll: degrees towards the person's own left shoulder (clockwise in the image).

    Returns:
        The matrix: pitch, then yaw, then roll in the image plane.
    """
    (sy, sp, sr), (cy, cp, cr) = (f(np.radians([yaw, pitch, roll])) for f in (np.sin, np.cos))
    about_vertical = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_horizontal = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_sight = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_sight @ about_vertical @ about_horizontal)


class Head:
    """A face mesh with rings around it.

    The first ``MESH_POINTS`` points are the face's, the others those of the rings. The mesh is in
    pixels of the frame.
    """

    def __init__(self, mesh: Mesh) -> None:
        face = mesh.astype(np.float64)
        face[:, 2] = _DEPTH_GAIN * np.minimum(face[:, 2], np.quantile(face[:, 2], _DEPTH_QUANTILE))
        oval = face[list(OVAL)]
        centre = oval.mean(axis=0)
        rings = [centre + (oval - centre) * (size, size, 1.0) for size, _ in _RINGS]
        shares = [1.0] * MESH_POINTS + [share for _, share in _RINGS for _ in OVAL]
        self.rest: Solid = np.concatenate([face, *rings])
        self.surroundings: Triangles = _ring_triangles() + np.int32(MESH_POINTS)
        self.face: Triangles = delaunay(face[:, :2].astype(np.float32))
        self._share = np.array(shares)[:, None]
        self._pivot = np.array([*centre[:2], face[:, 2].max()])
        self._jaw = _jaw_motion(self.rest)

    def moved(self, look: Look) -> Solid:
        """Return the positions of all points for a look."""
        acting = self.turned(self.rest + look.mouth_open * self._jaw, look)
        return np.asarray(self.rest + self._share * (acting - self.rest))

    def turned(self, points: Solid, look: Look) -> Solid:
        """Return the positions of points that are fixed to the skull."""
        turn = rotation(_YAW_GAIN * look.yaw, _PITCH_GAIN * look.pitch, look.roll)
        return np.asarray((points - self._pivot) @ turn.T + self._pivot)


def _ring_triangles() -> Triangles:
    """Triangles between each ring and the next, as indices into the rings' points."""
    length = len(OVAL)
    here = np.arange(length, dtype=np.int32)
    there = (here + 1) % length
    bands = []
    for start in range(0, length * (len(_RINGS) - 1), length):
        outer, inner = here + start, here + start + length
        outer_next, inner_next = there + start, there + start + length
        bands.append(np.stack([outer, outer_next, inner], axis=1))
        bands.append(np.stack([outer_next, inner_next, inner], axis=1))
    return np.concatenate(bands)


def _jaw_motion(rest: Solid) -> Solid:
    """Displacement of each point from a closed to a wide open mouth."""
    right_corner, left_corner = rest[list(MOUTH_CORNERS)]
    mouth = (right_corner + left_corner) / 2
    width = np.linalg.norm(left_corner - right_corner)
    along = (left_corner - right_corner) / width
    down = rest[CHIN] - mouth
    height = np.linalg.norm(down)
    down = down / height
    sideways = (rest - mouth) @ along / width
    below = (rest - mouth) @ down / height
    share = _smooth_step(below / 0.35) * np.exp(-((sideways / 0.9) ** 2))
    share *= 1.0 - _smooth_step((below - 1.0) / 0.8)
    lip = list(LOWER_LIP)
    share[lip] = np.sqrt(np.clip(1.0 - (2.0 * sideways[lip]) ** 2, 0.0, 1.0))
    share[list(UPPER_LIP)] = 0.0
    return np.asarray(share[:, None] * down * (_JAW_DROP * width))


def _smooth_step(x: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(x, 0.0, 1.0)
    return np.asarray(clipped * clipped * (3.0 - 2.0 * clipped))
