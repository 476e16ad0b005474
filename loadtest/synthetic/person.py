"""A synthetic person: renders frames of one portrait with any look."""

from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg

from loadtest.synthetic.expression import draw_lashes, draw_mouth, lid, lid_edge, teeth
from loadtest.synthetic.features import (
    LEFT_EYE,
    LEFTMOST,
    LOWER_INNER_LIP,
    OVAL,
    RIGHT_EYE,
    RIGHTMOST,
    EyeOutline,
)
from loadtest.synthetic.head import Head, Solid
from loadtest.synthetic.look import Look
from loadtest.synthetic.portrait import Portrait
from loadtest.synthetic.sensor import with_noise
from loadtest.synthetic.warp import Patch, Points, Triangles, warp
from shared.frame.estimation import Image

_FACE_SHARE = 0.48
"""Width of the face over the frame's shorter side; 230 pixels in a 640 x 480 frame."""
_SHARPENING = 0.5
_SHARPENING_SIGMA = 1.5
"""Unsharp mask that makes an enlarged portrait as sharp as a camera image."""

_RECTANGLE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


class Person:
    """Renders frames of one portrait, of a width and height."""

    def __init__(self, portrait: Portrait, size: tuple[int, int] = (640, 480)) -> None:
        self.size = size
        width = float(np.linalg.norm((portrait.mesh[RIGHTMOST] - portrait.mesh[LEFTMOST])[:2]))
        scale = _FACE_SHARE * min(size) / width
        self._canvas = _enlarged(portrait.image, scale)
        self._head = Head(portrait.mesh * scale)
        self._source = self._head.rest[:, :2].astype(np.float32)
        self._centre = portrait.mesh[list(OVAL), :2].mean(axis=0) * scale
        self._noise = np.random.default_rng()

    def render(self, look: Look) -> Image:
        """Render one frame, (height, width, 3) BGR; equal looks give equal frames."""
        placed = self._head.moved(look)
        target = self._seen(placed, look)
        lip = self._head.turned(self._head.rest[list(LOWER_INNER_LIP)], look)
        lip_at_rest = self._seen(lip, look)
        frame = warp(
            self._canvas,
            [
                self._backdrop(look),
                Patch(self._source, target, self._back_to_front(placed)),
                *self._expression(look, target, lip_at_rest),
            ],
            self.size,
        )
        if look.mouth_open > 0:
            draw_mouth(frame, target, lip_at_rest)
        for eye, closed in _eyes(look):
            draw_lashes(frame, lid_edge(eye, closed, target), closed)
        return _developed(frame, look)

    def render_jpeg(self, look: Look, quality: int = 85) -> bytes:
        """Render one frame like a camera: with sensor noise, encoded as JPEG."""
        frame = with_noise(self.render(look), self._noise)
        return bytes(simplejpeg.encode_jpeg(frame, quality, "BGR", "420"))

    def _seen(self, points: Solid | Points, look: Look) -> Points:
        """Map points of the canvas to frame pixels."""
        seen = (points[:, :2] - self._corner(look.distance)) / look.distance
        return seen.astype(np.float32)

    def _corner(self, distance: float) -> Points:
        """Upper left corner of the view: around the face, and inside the canvas if it fits."""
        height, width = self._canvas.shape[:2]
        view = np.array(self.size) * distance
        room = np.array([width, height]) - view
        beside_face = np.clip(self._centre - view / 2, 0, np.maximum(room, 0))
        return np.asarray(np.where(room < 0, room / 2, beside_face).round(), np.float32)

    def _backdrop(self, look: Look) -> Patch:
        """Cover the whole frame with the canvas, which does not move."""
        height, width = self._canvas.shape[:2]
        unit = np.array([[-1, -1], [2, -1], [2, 2], [-1, 2]], np.float32)
        corners = (unit * (width, height)).astype(np.float32)
        return Patch(corners, self._seen(corners, look), _RECTANGLE)

    def _back_to_front(self, placed: Solid) -> Triangles:
        """Order the head's triangles: the surroundings first, then the face's far parts."""
        depth = placed[self._head.face, 2].sum(axis=1)
        face = self._head.face[np.argsort(-depth, kind="stable")]
        return np.concatenate([self._head.surroundings, face])

    def _expression(self, look: Look, target: Points, lip_at_rest: Points) -> Iterator[Patch]:
        if look.mouth_open > 0:
            yield teeth(self._source, target, lip_at_rest)
        for eye, closed in _eyes(look):
            yield lid(eye, closed, self._source, target)


def _eyes(look: Look) -> list[tuple[EyeOutline, float]]:
    """The eyes that differ from the portrait, with their closure."""
    closures = [(LEFT_EYE, look.left_eye_closed), (RIGHT_EYE, look.right_eye_closed)]
    return [(eye, closed) for eye, closed in closures if closed > 0]


def _enlarged(image: Image, scale: float) -> Image:
    """Scale a portrait, and sharpen it if it is enlarged."""
    if scale <= 1:
        return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    smooth = cv2.GaussianBlur(large, (0, 0), _SHARPENING_SIGMA)
    return cv2.addWeighted(large, 1 + _SHARPENING, smooth, -_SHARPENING, 0)  # type: ignore[return-value]


def _developed(frame: Image, look: Look) -> Image:
    if look.blur > 0:
        frame = cv2.GaussianBlur(frame, (0, 0), look.blur)  # type: ignore[assignment]
    if look.brightness != 1:
        frame = cv2.convertScaleAbs(frame, alpha=look.brightness)  # type: ignore[assignment]
    return frame
