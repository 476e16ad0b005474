"""Simulated recaptures of a live frame: its picture on paper or on a screen, before the camera.

A head that only sees clean frames of people and processed recaptures would learn to detect the
processing. So the simulation also takes each person once more, through the same camera alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation.adapt.light import Chance, Light, between, to_light, to_pixels
from evaluation.adapt.paper import printed
from evaluation.adapt.screen import shown
from evaluation.samples import LIVE
from shared.frame.estimation import Box, Image

FACE_WIDTH = 160
"""Width of the face in simulated frames, in pixels; smaller faces keep theirs. The networks see
faces of 20 to 30 pixels, so more would only cost time."""
SURROUNDINGS = 5.0
"""Width and height of simulated frames in faces, at most. The networks see 4."""
MAX_BLUR = 0.014
"""Largest deviation of the blur, in widths of the face: beyond it the blur check refuses frames."""

Surface = Callable[[Light, Chance], Light]
Corners = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Medium:
    """What shows the picture of a face.

    Attributes:
        edge: largest width of its border, in widths of the picture.
        edge_light: range of the border's light.
    """

    surface: Surface
    edge: float
    edge_light: tuple[float, float]


MEDIA = {
    "print": Medium(printed, 0.08, (0.5, 0.95)),
    "screen": Medium(shown, 0.06, (0.0, 0.06)),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A live frame as light, cut and reduced around its face."""

    light: Light
    face: Box

    @classmethod
    def of(cls, image: Image, face: Box) -> Scene:
        """Cut and reduce a frame."""
        left, right = _span(face.x, face.width, image.shape[1])
        top, bottom = _span(face.y, face.height, image.shape[0])
        scale = min(1.0, FACE_WIDTH / max(1, face.width))
        size = [max(1, round(scale * side)) for side in (right - left, bottom - top)]
        cut = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
        scaled = (face.x - left, face.y - top, face.width, face.height)
        return cls(to_light(np.asarray(cut, np.uint8)), Box(*(round(scale * n) for n in scaled)))


def _span(start: int, size: int, limit: int) -> tuple[int, int]:
    middle, half = start + size / 2, SURROUNDINGS * size / 2
    return max(0, round(middle - half)), min(limit, round(middle + half))


def simulated(scene: Scene, kind: str, chance: Chance) -> Image:
    """Simulate a frame of a kind: a species of ``MEDIA``, or ``live`` for the camera alone."""
    light = scene.light if kind == LIVE else _presented(scene, MEDIA[kind], chance)
    return _taken(light, scene.face.width, chance)


def _presented(scene: Scene, medium: Medium, chance: Chance) -> Light:
    """Hold the picture of a face before its own scene."""
    height, width, _ = scene.light.shape
    left, top, right, bottom = _extent(scene, chance)
    picture = medium.surface(scene.light[top:bottom, left:right], chance)
    edge = round(between(chance, 0, medium.edge) * (right - left))
    frame = between(chance, *medium.edge_light)
    framed = cv2.copyMakeBorder(
        picture, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=[frame] * 3
    )
    place = np.array([left - edge, top - edge, right + edge, bottom + edge], np.float32)
    matrix = _placement(place, scene.face, chance)
    seen = cv2.warpPerspective(framed, matrix, (width, height), flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(
        np.ones(framed.shape[:2], np.float32), matrix, (width, height), flags=cv2.INTER_LINEAR
    )
    return _before(_backdrop(scene, chance), np.asarray(seen), np.asarray(cover), chance)


def _extent(scene: Scene, chance: Chance) -> tuple[int, int, int, int]:
    """Choose what the picture shows: the whole frame, or the head with some surroundings."""
    height, width, _ = scene.light.shape
    if chance.random() < 0.5:
        return 0, 0, width, height
    face = scene.face
    wide, high = between(chance, 1.3, 3.0) * face.width / 2, between(chance, 1.3, 2.4) * face.height
    x, y = face.x + face.width / 2, face.y + face.height / 2
    return (
        max(0, round(x - wide)),
        max(0, round(y - high / 2)),
        min(width, round(x + wide)),
        min(height, round(y + high / 2)),
    )


def _placement(place: Corners, face: Box, chance: Chance) -> NDArray[np.float64]:
    """Return the perspective that puts the picture near its place: moved, turned and tilted."""
    left, top, right, bottom = place
    width, height = right - left, bottom - top
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = np.array([face.x + face.width / 2, face.y + face.height / 2], np.float32)
    angle, size = np.radians(3 * chance.standard_normal()), between(chance, 0.85, 1.2)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = (corners + place[:2] - middle) @ turn.T + middle
    placed += 0.08 * face.width * chance.standard_normal(2)
    placed += 0.015 * width * chance.standard_normal((4, 2))
    matrix = cv2.getPerspectiveTransform(corners, placed.astype(np.float32))
    return np.asarray(matrix, np.float64)


def _backdrop(scene: Scene, chance: Chance) -> Light:
    """Return what is behind the picture: the scene mirrored and blurred, or its colours alone."""
    blur = scene.face.width * (0.05 if chance.random() < 0.5 else 0.8)
    mirrored = scene.light[:, ::-1]
    return np.asarray(cv2.GaussianBlur(mirrored, (0, 0), blur) * between(chance, 0.5, 1.1))


def _before(backdrop: Light, seen: Light, cover: Light, chance: Chance) -> Light:
    """Put the picture before the backdrop, on which its edges cast a shadow."""
    depth = max(1.0, 0.03 * seen.shape[1] * chance.random())
    shadow = 1 - between(chance, 0, 0.5) * cv2.GaussianBlur(cover, (0, 0), depth)[..., None]
    cover = cover[..., None]
    return np.asarray(cover * seen + (1 - cover) * shadow * backdrop, np.float32)


def _taken(light: Light, face_width: float, chance: Chance) -> Image:
    """Take an image by a random camera; ``face_width`` is in pixels."""
    sigma = face_width * between(chance, 0.001, MAX_BLUR)
    seen = cv2.GaussianBlur(light, (0, 0), max(0.2, sigma))
    balance = 1 + 0.03 * chance.standard_normal(3)
    exposed = seen * (2 ** between(chance, -0.35, 0.35) * balance).astype(np.float32)
    pixels = to_pixels(np.asarray(exposed, np.float32)).astype(np.float32)
    pixels += between(chance, 0.3, 3.0) * chance.standard_normal(pixels.shape, np.float32)
    noisy = np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)
    quality = int(chance.integers(65, 97))
    _, jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
