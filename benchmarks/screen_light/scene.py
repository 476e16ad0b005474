"""A person, a screen or a print in the light of a room and of the kiosk's screen.

Light is linear red, green and blue; 1 is the light of the kiosk's white screen at the face. With a
24-inch screen (0.53 x 0.30 m) of 250 cd/m2 at 0.5 m that is about 130 lx.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.screen_light.sequence import Array
from loadtest.synthetic.features import OVAL
from loadtest.synthetic.head import Head, rotation
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import Portrait
from shared.frame.estimation import Image

Chance = np.random.Generator

SIZE = (160, 120)
"""A quarter of a camera's width: fewer pixels to average than a real frame has."""
SCREEN_LUX = 130.0
SCREEN_LUMINANCE = 250.0
COVERAGE = 0.75
"""Share of the screen that shows the colour; the rest shows the camera's image and text."""
TO_SCREEN = np.array([0.0, 0.33, -0.94])
"""From the face to the middle of the screen, which is below the camera."""
_LINEAR = (np.arange(256) / 255.0) ** 2.2
MIREDS = (154.0, 250.0, 370.0)
WARMTH = np.array([[1.0, 1.0, 1.0], [1.53, 1.0, 0.577], [2.4, 1.0, 0.24]])
"""Linear sRGB of light of 6500, 4000 and 2700 K, with green 1."""


@dataclass(frozen=True)
class Frame:
    """What a camera could see at one moment.

    Attributes:
        albedo: reflectances, (height, width, 3) linear RGB.
        normals: unit vectors away from the surface, x right, y down, z away from the camera.
        person: share of each pixel that belongs to the person.
        face: the face's box: left, top, right, bottom.
    """

    albedo: Array
    normals: Array
    person: Array
    face: tuple[int, int, int, int]


class Actor:
    """Renders frames of one portrait with the normals of its mesh."""

    def __init__(self, portrait: Portrait) -> None:
        self._person = Person(portrait, SIZE)
        self._shape = Person(Portrait(_painted_shape(portrait), portrait.mesh), SIZE)
        self._box = _box_of(portrait)

    def frame(self, look: Look) -> Frame:
        """Render a frame."""
        albedo = linear(self._person.render(look)) * 0.8  # white skin and paper reflect no more
        shape = self._shape.render(look).astype(float)
        person = np.clip(shape[..., 0] / 128, 0, 1)[..., None]
        normals = np.stack([shape[..., 2] - 128, shape[..., 1] - 128, -shape[..., 0]], axis=-1)
        normals[..., 2] = -np.maximum(-normals[..., 2] - 128, 1)
        turned = normals @ rotation(look.yaw, look.pitch, look.roll).T
        turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
        return Frame(albedo, turned, person, self._box)


def linear(image: Image) -> Array:
    """Convert 8-bit BGR with about the gamma of sRGB to linear RGB."""
    return np.asarray(_LINEAR[image[..., ::-1]])


def _box_of(portrait: Portrait) -> tuple[int, int, int, int]:
    """The box of the face at rest: left, top, right, bottom."""
    painted = np.zeros_like(portrait.image)
    cv2.fillPoly(painted, [portrait.mesh[list(OVAL), :2].astype(np.int32)], (255, 255, 255))
    seen = Person(Portrait(painted, portrait.mesh), SIZE).render(Look())
    left, top, width, height = cv2.boundingRect((seen[..., 0] > 128).astype(np.uint8))
    return left, top, left + width, top + height


def _painted_shape(portrait: Portrait) -> Image:
    """Paint the normals of the face over the silhouette of hair, neck and shoulders.

    Blue is 128 to 255 for a normal's part towards the camera, 0 in the background; green and red
    are 128 plus 127 times the parts down and right.
    """
    height, width = portrait.image.shape[:2]
    painted = np.zeros((height, width, 3), np.uint8)
    oval = portrait.mesh[list(OVAL), :2]
    low, high = oval.min(axis=0), oval.max(axis=0)
    (x, y), (across, down) = (low + high) / 2, high - low
    ahead = (255, 128, 128)
    hair = (int(0.68 * across), int(0.75 * down))
    cv2.ellipse(painted, (int(x), int(y - 0.1 * down)), hair, 0, 0, 360, ahead, -1)
    chin = high[1] + 0.1 * down
    beside = np.array([0.3, 0.4, 1.3, 1.4]) * across
    below = [y, chin, chin + 0.4 * down, height]
    outline = np.stack([[*(x - beside), *(x + beside[::-1])], [*below, *below[::-1]]], axis=1)
    cv2.fillPoly(painted, [outline.astype(np.int32)], ahead)
    head = Head(portrait.mesh)
    corners = head.rest[head.face]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals *= -np.sign(normals[:, 2:])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    for points, (right, lower, away) in zip(corners[..., :2], normals, strict=True):
        colour = (128 - 127 * away, 128 + 127 * lower, 128 + 127 * right)
        cv2.fillConvexPoly(painted, points.round().astype(np.int32), colour)
    return painted


def wandering(chance: Chance, count: int, deviation: float, persistence: float = 0.9) -> Array:
    """A random walk that returns to 0, with this standard deviation."""
    steps = chance.normal(0, deviation, count)
    for now in range(1, count):
        steps[now] = persistence * steps[now - 1] + (1 - persistence**2) ** 0.5 * steps[now]
    return steps


class Room:
    """A ceiling lamp and a window or lamp at the side, each with its own colour and drift.

    Args:
        chance: source of all random properties.
        frames: length of the session.
        ambient: light of the room on a surface that faces the camera, with the screen's as unit.
    """

    def __init__(self, chance: Chance, frames: int, ambient: float) -> None:
        side = chance.choice([-1, 1])
        above = np.array([chance.uniform(-0.5, 0.5), -1.0, -0.8])
        beside = np.array([side, -0.3, -chance.uniform(0.3, 1.0)])
        self._towards = [v / np.linalg.norm(v) for v in (above, beside)]
        self._colours = [self._colour(chance.uniform(154, 370)) for _ in range(2)]
        from_side = chance.uniform(0, 0.6)
        self._shares = np.array([0.6 * (1 - from_side), 0.6 * from_side, 0.4])  # lamps, walls
        self._light = ambient
        self._drift = 1 + np.stack([wandering(chance, frames, 0.02) for _ in range(3)])
        if chance.random() < 0.25:  # a person walks past the window
            middle, depth = chance.uniform(0, frames), chance.uniform(0.1, 0.4)
            passing = np.exp(-(((np.arange(frames) - middle) / 3) ** 2))
            self._drift[1] *= 1 - depth * passing
        self._behind = chance.uniform(0.5, 1.2) * np.exp(chance.normal(0, 0.15, 3))
        self.reached = np.exp(chance.uniform(np.log(0.02), np.log(0.25)))
        """The screen's light on the background over that on the face: it is 0.5 to 3 m behind."""

    def on(self, normals: Array, now: int) -> Array:
        """Light of the room on surfaces."""
        walls = (self._colours[0] + self._colours[1]) / 2
        light = self._shares[2] * self._drift[2, now] * walls * np.ones_like(normals)
        for number, (towards, colour) in enumerate(zip(self._towards, self._colours, strict=True)):
            cosine = np.maximum(normals @ towards, 0)[..., None] / -towards[2]
            light += self._shares[number] * self._drift[number, now] * cosine * colour
        lit: Array = self._light * light
        return lit

    def behind(self, now: int) -> Array:
        """Light of the room on the background."""
        return self._behind * self.on(np.array([0.0, 0.0, -1.0]), now)

    @staticmethod
    def _colour(mired: float) -> Array:
        logs = np.log(WARMTH)
        return np.exp([np.interp(mired, MIREDS, logs[:, channel]) for channel in range(3)])


def screen_on(normals: Array, shown: Array) -> Array:
    """Light of the kiosk's screen on surfaces near the face."""
    cosine = np.maximum(normals @ TO_SCREEN, 0)[..., None]
    lit: Array = COVERAGE * shown * cosine
    return lit
