"""MediaPipe face mesh: 468 points in three dimensions."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, pi, radians, remainder, tau
from typing import NamedTuple

import numpy as np

from inference_pool.models.session import ModelSession
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, Square, line_angle
from inference_pool.onnx.network import Network
from shared.errors import EstimationError
from shared.frame.estimation import Image

SIZE = 192
CROP_SCALE = 1.5
"""Side of the crop over the larger side of the face."""
LEVEL_ENOUGH = radians(3)
"""Roll left in the crop with which the mesh is taken as it is; docs/performance.md has the cost."""
MAX_PASSES = 4
SURE = 28.0
"""Presence logit of a crop from which the face is upright there without a look at other turns.

The network sees an upside-down face too and fits an upright mesh to it, but with at most 25, where
an upright face has 30 in the median. docs/estimation.md has the measurements.
"""
FAINT = 15.0
"""Presence logit below which a face is probably neither upright nor upside down, but sideways."""
DOUBT = 4.0
"""Lead in presence over the opposite turn below which it is unclear which way up the face is."""

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)
"""Corners of the person's own eyes, the one to the picture's left first."""
_EYE_CORNERS = np.array(RIGHT_EYE_CORNERS + LEFT_EYE_CORNERS)
_NOSE_AND_MOUTH = np.array((1, 61, 291))
"""Tip of the nose and corners of the mouth, the one to the picture's left first."""
CONTRADICTION = radians(45)
"""Angle between the detector's and the mesh's line of the eyes from which the detector is wrong.

YuNet draws the points of an upright face whatever the turn; up to 20 degrees it is 17 off at most.
"""


class _View(NamedTuple):
    """One run of the network: where it looked, the mesh in frame pixels, the presence logit."""

    square: Square
    mesh: Points
    presence: float


class FaceMesh:
    """Fits the mesh to a face.

    The network wants an upright and level face. The first crop is levelled by the detector's eye
    points, which do not tell which way up a face is. So unless the network is sure of a face in
    this crop, it also sees the crop turned, and the turn of which it is surest is upright. When the
    mesh then still shows roll, the crop is taken again from the mesh's own points.

    Args:
        session: session of the 468-point model; it answers the points and a presence logit.
    """

    def __init__(self, session: ModelSession) -> None:
        self._network = Network(session, (SIZE, SIZE), rgb=True, scale=1 / 255)
        self._crop: Image = np.empty((SIZE, SIZE, 4), np.uint8)

    def fit(self, image: Image, face: DetectedFace) -> Points:
        """Return the mesh of a face, from its memory if it was fitted before.

        Args:
            image: the frame.
            face: a face of that frame; the mesh is kept in it, and key points that contradict the
                mesh are replaced by the mesh's own.

        Returns:
            (468, 3) points in frame pixels, z in the same unit, smaller is nearer.

        Raises:
            EstimationError: the network does not see a face there, or not which way up it is.
        """
        if face.mesh is None:
            face.mesh = self._fit(image, face)
            tilt = line_angle(face.points[0], face.points[1])
            if abs(remainder(tilt - _roll(face.mesh), tau)) > CONTRADICTION:
                face.points = _key_points(face.mesh)
        return face.mesh

    def _fit(self, image: Image, face: DetectedFace) -> Points:
        view = self._upright(image, _from_detection(face))
        for _ in range(MAX_PASSES - 1):
            roll = _roll(view.mesh)
            if abs(remainder(roll - view.square.angle, tau)) < LEVEL_ENOUGH:
                break
            view = self._look(image, _about(view.mesh, roll))
        if not (view.presence >= 0 and isfinite(view.mesh.sum())):
            raise EstimationError("the face mesh finds no face in the detected box")
        return view.mesh

    def _upright(self, image: Image, square: Square) -> _View:
        """Return the view of a square in the quarter turn in which its face is upright.

        Raises:
            EstimationError: the face is as likely upside down.
        """
        first = self._look(image, square)
        if first.presence >= SURE:
            return first
        best, opposite = _surer_first(first, self._look(image, _turned(square, pi)))
        if best.presence < FAINT:
            sideways = [self._look(image, _turned(square, turn)) for turn in (pi / 2, -pi / 2)]
            surer, other = _surer_first(*sideways)
            if surer.presence > best.presence:
                best, opposite = surer, other
        if not best.presence - opposite.presence >= DOUBT:
            raise EstimationError("the face mesh cannot tell which way up the face is")
        return best

    def _look(self, image: Image, square: Square) -> _View:
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


def _turned(square: Square, angle: float) -> Square:
    return replace(square, angle=square.angle + angle)


def _surer_first(one: _View, other: _View) -> tuple[_View, _View]:
    return (one, other) if one.presence >= other.presence else (other, one)


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


def _key_points(mesh: Points) -> Points:
    """Centres of the eyes, tip of the nose and corners of the mouth, (5, 2)."""
    plane = mesh[:, :2]
    eyes = plane.take(_EYE_CORNERS, axis=0).reshape(2, 2, 2).mean(axis=1)
    return np.concatenate((eyes, plane.take(_NOSE_AND_MOUTH, axis=0)))
