"""MediaPipe face mesh: 468 points in three dimensions."""

from dataclasses import replace
from math import isfinite, pi, radians, remainder, tau
from typing import NamedTuple

import numpy as np

from inference_pool.models.session import ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, Square, line_angle
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.frame.estimation import EyeCentres, Image

SIZE = 192
CROP_SCALE = 1.5
"""Side of the crop over the longer side of the face."""
LEVEL_ENOUGH = radians(3)
"""The crop is not taken again if less roll than this remains; cost in docs/optimisations.md."""
MAX_PASSES = 4
SURE = 28.0
"""From this presence logit the face is upright in the crop, and other rotations are not tried.

The network also detects upside-down faces and fits an upright mesh to them, but with a logit of at
most 25; the median for upright faces is 30. Measured in docs/experiments.md.
"""
FAINT = 15.0
"""Below this presence logit the face is probably sideways, neither upright nor upside down."""
DOUBT = 4.0
"""Smallest lead in presence over the opposite rotation that decides which way up the face is."""

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)
"""Corners of the person's own eyes; in each pair the one on the image's left is first."""
_EYE_CORNERS = np.array(RIGHT_EYE_CORNERS + LEFT_EYE_CORNERS)
_NOSE_AND_MOUTH = np.array((1, 61, 291))
"""Tip of the nose and corners of the mouth; the corner on the image's left is first."""
CONTRADICTION = radians(45)
"""If the detector's and the mesh's eye lines differ by more than this, the detector is wrong.

YuNet places the key points of an upright face whatever the rotation. Up to 20 degrees of roll its
error is 17 degrees at most.
"""


class _View(NamedTuple):
    """One run of the network: its region, the mesh in frame pixels and the presence logit."""

    square: Square
    mesh: Points
    presence: float


class FaceMesh:
    """Fits the mesh to a face.

    The network needs an upright, level face. The first crop is levelled by the detector's eye
    points, which do not show which way up the face is. Unless the presence is high in this crop,
    the network also runs on rotated crops, and the one with the highest presence is taken as
    upright. If the mesh still shows roll, the crop is taken again from the mesh's own points.

    The session returns the points and a presence logit.
    """

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 255)
        self._crop: Image = np.empty((SIZE, SIZE, 4), np.uint8)

    def fit(self, image: Image, face: DetectedFace) -> Points:
        """Return the mesh of a face; fit it on the first call.

        The face stores the mesh. Key points that contradict it are replaced by the mesh's own.

        Returns:
            (468, 3) points in frame pixels; z has the same unit, smaller is nearer.

        Raises:
            EstimationError: the network finds no face, or it is unclear which way up it is.
        """
        if face.mesh is None:
            face.mesh = self._fit(image, face)
            tilt = line_angle(face.points[0], face.points[1])
            if abs(remainder(tilt - _roll(face.mesh), tau)) > CONTRADICTION:
                face.points = _key_points(face.mesh)
        return face.mesh

    def _fit(self, image: Image, face: DetectedFace) -> Points:
        search = self._first if face.hasty else self._upright
        view = search(image, _from_detection(face))
        for _ in range(MAX_PASSES - 1):
            roll = _roll(view.mesh)
            if abs(remainder(roll - view.square.angle, tau)) < LEVEL_ENOUGH:
                break
            view = self._view(image, _around(view.mesh, roll))
        if not (view.presence >= 0 and isfinite(view.mesh.sum())):
            raise EstimationError("the face mesh finds no face in the detected box")
        return view.mesh

    def _upright(self, image: Image, square: Square) -> _View:
        """Return the view of a square at the multiple of 90 degrees where its face is upright."""
        first = self._view(image, square)
        if first.presence >= SURE:
            return first
        best, opposite = _surer_first(first, self._view(image, _rotated(square, pi)))
        if best.presence < FAINT:
            sideways = [self._view(image, _rotated(square, angle)) for angle in (pi / 2, -pi / 2)]
            surer, other = _surer_first(*sideways)
            if surer.presence > best.presence:
                best, opposite = surer, other
        if not best.presence - opposite.presence >= DOUBT:
            raise EstimationError("the face mesh does not show which way up the face is")
        return best

    def _first(self, image: Image, square: Square) -> _View:
        """Return the view of a square as it is, without a look at others.

        A face that is upside down may fit, so this is not enough to accept a frame.
        """
        view = self._view(image, square)
        if not view.presence >= FAINT:
            raise EstimationError("the face mesh does not show which way up the face is")
        return view

    def _view(self, image: Image, square: Square) -> _View:
        points, presence = self._run(square.cut(image, self._crop))
        return _View(square, square.to_frame(points), presence)

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


def _rotated(square: Square, angle: float) -> Square:
    return replace(square, angle=square.angle + angle)


def _surer_first(one: _View, other: _View) -> tuple[_View, _View]:
    return (one, other) if one.presence >= other.presence else (other, one)


def _around(mesh: Points, roll: float) -> Square:
    """Square around the mesh, rotated by its roll."""
    low, high = mesh.min(axis=0).tolist(), mesh.max(axis=0).tolist()
    return Square(
        x=(low[0] + high[0]) / 2,
        y=(low[1] + high[1]) / 2,
        side=CROP_SCALE * max(1.0, high[0] - low[0], high[1] - low[1]),
        angle=roll,
        size=SIZE,
    )


def _roll(mesh: Points) -> float:
    """Clockwise angle in radians of the line through the centres of both eyes."""
    corners = mesh.take(_EYE_CORNERS, axis=0)
    return line_angle(corners[0] + corners[1], corners[2] + corners[3])


def eye_centres(mesh: Points) -> EyeCentres:
    """Return the middle of the corners of the person's right and left eye."""
    (x, y), (other_x, other_y) = _eye_centres(mesh).tolist()
    return (x, y), (other_x, other_y)


def _eye_centres(mesh: Points) -> Points:
    corners = mesh[:, :2].take(_EYE_CORNERS, axis=0).reshape(2, 2, 2)
    return np.asarray(corners.mean(axis=1), np.float32)


def _key_points(mesh: Points) -> Points:
    """Centres of the eyes, tip of the nose and corners of the mouth, (5, 2)."""
    return np.concatenate((_eye_centres(mesh), mesh[:, :2].take(_NOSE_AND_MOUTH, axis=0)))
