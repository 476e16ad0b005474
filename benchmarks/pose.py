"""Head pose on images rendered at known angles: error, worst error and bias of each axis.

``python -m benchmarks.pose IMAGE...``. The texture of each portrait is mapped to the canonical
face, which is rotated by known angles around its own axes and projected by a pinhole camera. So the
true angles do not depend on how the person held the head, and the depth is the canonical one
instead of the mesh network's estimate. Pitch is relative to those axes, without the correction at
rest.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.pose import PITCH_AT_REST
from loadtest.synthetic.features import MESH_POINTS, OVAL
from loadtest.synthetic.head import _RINGS, _ring_triangles, rotation
from loadtest.synthetic.warp import Patch, delaunay, warp
from shared.config.loading import load
from shared.errors import EstimationError
from shared.frame.estimation import HeadPose, Image

SIZE = (640, 640)
FACE = 230.0
"""Width of the face in pixels."""
DISTANCE = 4.0
"""Distance of the camera in widths of the face: about 60 cm."""
YAWS, PITCHES, ROLLS = (-30, -20, -10, 0, 10, 20, 30), (-20, -10, 0, 10, 20), (-20, 0, 20)
AXES = ("yaw", "pitch", "roll")
Solid = NDArray[np.float64]


class Rendered:
    """A portrait's texture on the canonical face.

    Args:
        image: the portrait.
        mesh: (468, 3) its mesh.
        canonical: (468, 3) the canonical face, x right, y up, z towards the camera.
    """

    def __init__(self, image: Image, mesh: NDArray[np.float32], canonical: Solid) -> None:
        self._image = image
        face = canonical * (1.0, -1.0, -1.0)
        face *= FACE / np.ptp(face[:, 0])
        self._rest = _with_rings(face - face[list(OVAL)].mean(axis=0))
        self._source = _with_rings(mesh.astype(np.float64))[:, :2].astype(np.float32)
        self._face = delaunay(mesh[:, :2])
        self._around = _ring_triangles() + np.int32(MESH_POINTS)
        self._share = np.array([1.0] * MESH_POINTS + [s for _, s in _RINGS for _ in OVAL])[:, None]

    def at(self, yaw: float, pitch: float, roll: float) -> Image:
        """Render at angles around the canonical face's own axes."""
        turned = self._rest @ rotation(yaw, pitch, roll).T
        placed = self._rest + self._share * (turned - self._rest)
        away = DISTANCE * FACE
        seen = placed[:, :2] * (away / (away + placed[:, 2:]))
        target = (seen + np.array(SIZE) / 2).astype(np.float32)
        order = np.argsort(-placed[self._face, 2].sum(axis=1), kind="stable")
        triangles = np.concatenate([self._around, self._face[order]])
        backdrop = self._backdrop(target)
        return warp(self._image, [backdrop, Patch(self._source, target, triangles)], SIZE)

    def _backdrop(self, target: NDArray[np.float32]) -> Patch:
        """Cover the whole frame by an affine map fitted to the outermost ring."""
        ring = slice(MESH_POINTS, MESH_POINTS + len(OVAL))
        ones = np.ones((len(OVAL), 1), np.float32)
        solved = np.linalg.lstsq(np.hstack([target[ring], ones]), self._source[ring], rcond=None)
        width, height = SIZE
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        source = np.hstack([corners, np.ones((4, 1), np.float32)]) @ solved[0]
        squares = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
        return Patch(source.astype(np.float32), corners, squares)


def _with_rings(face: Solid) -> Solid:
    oval = face[list(OVAL)]
    centre = oval.mean(axis=0)
    return np.concatenate([face, *(centre + (oval - centre) * (s, s, 1.0) for s, _ in _RINGS)])


def main(paths: list[str]) -> None:
    """Print the table."""
    backend = OnnxBackend.from_config(load())
    rows: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = []
    for path in paths:
        image = np.asarray(cv2.imread(path), np.uint8)
        face = max(backend.detect(image), key=lambda found: found.box.area)
        backend.head_pose(image, face)
        assert isinstance(face, DetectedFace)
        assert face.mesh is not None
        rendered = Rendered(image, face.mesh, backend._pose._canonical)
        for asked in product(YAWS, PITCHES, ROLLS):
            found = _measured(backend, rendered.at(*asked))
            if found is not None:
                seen = (found.yaw, found.pitch + PITCH_AT_REST, found.roll)
                rows.append((Path(path).stem, asked, seen))
            else:
                print(f"no face: {path} {asked}")
    _print(rows)


def _measured(backend: OnnxBackend, image: Image) -> HeadPose | None:
    try:
        faces = backend.detect(image)
        return backend.head_pose(image, faces[0]) if len(faces) == 1 else None
    except EstimationError:
        return None


def _print(rows: list[tuple[str, tuple[float, ...], tuple[float, ...]]]) -> None:
    asked = np.array([row[1] for row in rows])
    error = np.array([row[2] for row in rows]) - asked
    names = np.array([row[0] for row in rows])
    print(f"{len(rows)} images of {len(set(names))} portraits\n")
    print("| axis | bias | mean error | worst | gain |\n|---|---:|---:|---:|---:|")
    for axis, name in enumerate(AXES):
        gain = np.polyfit(asked[:, axis], error[:, axis], 1)[0] + 1
        size = np.abs(error[:, axis])
        print(
            f"| {name} | {error[:, axis].mean():+.1f} | {size.mean():.1f} | {size.max():.1f}"
            f" | {gain:.2f} |"
        )
    print("\n| asked | yaw seen | pitch seen at that pitch |")
    for value in YAWS:
        alone = (asked[:, 0] == value) & (asked[:, 1] == 0) & (asked[:, 2] == 0)
        nod = (asked[:, 1] == value) & (asked[:, 0] == 0) & (asked[:, 2] == 0)
        seen = [
            f"{(error[which, axis] + value).mean():+.1f}" if which.any() else "-"
            for which, axis in ((alone, 0), (nod, 1))
        ]
        print(f"| {value:+d} | {seen[0]} | {seen[1]} |")
    for name in sorted(set(names)):
        print(name, "bias yaw, pitch, roll", np.round(error[names == name].mean(axis=0), 1))


if __name__ == "__main__":
    main(sys.argv[1:])
