"""What is held before the kiosk's camera: a person, or one of several attacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.screen_light.camera import FPS, Camera
from benchmarks.screen_light.detector import Colours
from benchmarks.screen_light.scene import (
    COVERAGE,
    SCREEN_LUMINANCE,
    SCREEN_LUX,
    Actor,
    Chance,
    Frame,
    Room,
    linear,
    screen_on,
    wandering,
)
from benchmarks.screen_light.sequence import LUMINANCE, PALETTE, Array, LightSequence
from loadtest.synthetic.look import Look
from shared.frame.estimation import Image

KINDS = (
    "live",
    "recording of another sequence",
    "bright screen without a mirror image",
    "bright glossy screen",
    "dim glossy screen",
    "print that fills the view",
    "print cut out at the head",
    "tinted recording",
)
AHEAD = np.array([0.0, 0.0, -1.0])
PAPER = 0.9
LEVELS = 8
"""Classes of brightness of a head's pixels."""
SURROUNDINGS = 0.3
"""Reflectance of the room behind the kiosk, which a glossy screen mirrors."""


@dataclass(frozen=True)
class Visit:
    """One person before the kiosk: the same motion, room and delays for every kind and light.

    Attributes:
        frames: the person in each frame.
        other: the background of another picture, for attacks that do not fill the view.
        shown: the sequence of this session.
        times: when the service received the frames, seconds since it sent the sequence.
        lit: when the camera took them, seconds since the page started the sequence.
        seed: of everything else that is random.
    """

    frames: list[Frame]
    other: Frame
    shown: LightSequence
    times: Array
    lit: Array
    seed: int


def visit(actor: Actor, stranger: Actor, seed: int) -> Visit:
    """Render a visit of 4 to 8 s at five frames per second."""
    chance = np.random.default_rng(seed)
    count = int(chance.uniform(4, 8) * FPS)
    walks = [wandering(chance, count, deviation, 0.8) for deviation in (4, 3, 1, 0.04)]
    frames = [
        actor.frame(Look(yaw, pitch, roll, distance=float(np.clip(1 + far, 0.85, 1.15))))
        for yaw, pitch, roll, far in zip(*walks, strict=True)
    ]
    lit = np.arange(count) / FPS + chance.uniform(0, 1 / FPS) + chance.normal(0, 0.02, count)
    times = lit + chance.uniform(0, 0.4) + chance.normal(0, 0.02, count)
    sequence = LightSequence(chance, count / FPS + 1)
    return Visit(frames, stranger.frame(Look()), sequence, times, lit, seed)


def film(kind: str, seen: Visit, ambient: float) -> list[Image]:
    """Film a presentation in a room with this light, in units of the white screen's."""
    number = KINDS.index(kind)
    chance = np.random.default_rng((seen.seed, number, round(10 * ambient)))
    count = len(seen.frames)
    room, camera = Room(chance, count, ambient), Camera(chance, count)
    colours = seen.shown.at(seen.lit)
    if kind == "live":
        return [camera.take(light) for light in _person(seen, room, colours)]
    if kind == "recording of another sequence":
        other = LightSequence(chance, count / FPS + 1).at(seen.lit)
        return [camera.take(light) for light in _person(seen, room, other)]
    if kind == "tinted recording":
        return [camera.take(light) for light in _tinted(seen, room, chance)]
    pictures = _pictures(seen, chance, moving="screen" in kind)
    if "print" in kind:
        lights = _print(seen, pictures, room, colours, chance, cut_out="cut" in kind)
    else:
        lights = _screen(seen, pictures, room, colours, chance, kind)
    return [camera.take(light) for light in lights]


def measure(images: list[Image], seen: Visit) -> Colours:
    """Measure the mean colours of the regions, with the jitter of a face detector."""
    chance = np.random.default_rng(seen.seed + 1)
    rows = []
    for image, frame in zip(images, seen.frames, strict=True):
        light = linear(image)
        jitter = chance.normal(0, 0.02, 4) * (frame.face[2] - frame.face[0])
        left, top, right, bottom = np.array(frame.face) + jitter
        width, height = right - left, bottom - top
        inner = (left + 0.2 * width, top + 0.15 * height, right - 0.2 * width)
        face = _part(light, *inner, bottom - 0.15 * height)
        sides = [
            _part(light, 0, 0, left - 0.35 * width, bottom),
            _part(light, right + 0.35 * width, 0, light.shape[1], bottom),
        ]
        head = _part(light, left, top - 0.2 * height, right, bottom)
        classes = np.array_split(head[np.argsort(head @ LUMINANCE)], LEVELS)
        levels = [pixels.mean(axis=0) for pixels in classes]
        rows.append((_mean(face), _mean(np.concatenate(sides)), levels))
    return Colours(*(np.array(column) for column in zip(*rows, strict=True)))


def _mean(pixels: Array) -> Array:
    """Mean colour of the pixels that are neither clipped nor black, if there are any."""
    usable = (pixels.max(axis=1) < 0.97) & (pixels.min(axis=1) > 0.0005)
    return np.asarray((pixels[usable] if usable.sum() > 20 else pixels).mean(axis=0))


def _part(light: Array, left: float, top: float, right: float, bottom: float) -> Array:
    x, y = (slice(max(0, round(a)), max(0, round(b))) for a, b in ((left, right), (top, bottom)))
    return light[y, x].reshape(-1, 3)


def _person(seen: Visit, room: Room, colours: Array) -> Iterator[Array]:
    """Light from a person in the room and from the background."""
    for now, (frame, shown) in enumerate(zip(seen.frames, colours, strict=True)):
        near = room.on(frame.normals, now) + screen_on(frame.normals, shown)
        yield frame.albedo * (frame.person * near + (1 - frame.person) * _far(room, shown, now))


def _far(room: Room, shown: Array, now: int) -> Array:
    """Light on what is behind the person."""
    far: Array = room.behind(now) + room.reached * COVERAGE * shown
    return far


def _tinted(seen: Visit, room: Room, chance: Chance) -> Iterator[Array]:
    """A recording into which a program paints the sequence that it sees on the page."""
    late = chance.uniform(0.03, 0.15)
    steady = np.tile(PALETTE.mean(axis=0), (len(seen.lit), 1))
    gain = chance.uniform(0.1, 0.4)
    tints = 1 + gain * (seen.shown.at(seen.lit - late) - steady)
    for frame, light, tint in zip(seen.frames, _person(seen, room, steady), tints, strict=True):
        yield light * (1 + frame.person * (tint - 1))


def _pictures(seen: Visit, chance: Chance, *, moving: bool) -> list[Array]:
    """Pictures of the person by another camera in another room, linear RGB from 0 to 1."""
    count = len(seen.frames)
    room, camera = Room(chance, count, 2.0), Camera(chance, count)
    dark = np.zeros((count, 3))
    taken = []
    for light in _person(seen, room, dark):
        taken.append(linear(camera.take(light)))
        if not moving:
            return taken * count
    return taken


def _print(
    seen: Visit,
    pictures: list[Array],
    room: Room,
    colours: Array,
    chance: Chance,
    *,
    cut_out: bool,
) -> Iterator[Array]:
    """Light from a flat print in a hand."""
    tilts = np.stack([wandering(chance, len(pictures), 4) for _ in range(2)])
    shape = seen.frames[0].person
    for now, (picture, shown) in enumerate(zip(pictures, colours, strict=True)):
        right, down = np.sin(np.radians(tilts[:, now]))
        normals = np.broadcast_to(np.array([right, down, -1.0]), picture.shape)
        paper = PAPER * picture * (room.on(normals, now) + screen_on(normals, shown))
        if cut_out:
            behind = seen.other.albedo * _far(room, shown, now)
            paper = shape * paper + (1 - shape) * behind
        yield paper


def _screen(
    seen: Visit,
    pictures: list[Array],
    room: Room,
    colours: Array,
    chance: Chance,
    kind: str,
) -> Iterator[Array]:
    """Light from a screen that plays a video and reflects the kiosk's screen.

    The unit of radiance is that of a white surface in the kiosk's white light.
    """
    unit = SCREEN_LUX / np.pi
    dim, glossy = "dim" in kind, "glossy" in kind
    white = np.exp(chance.uniform(*np.log((15, 60) if dim else (100, 400)))) / unit
    diffuse = chance.uniform(0.005, 0.01)
    mirror = chance.uniform(0.02, 0.045) if glossy else 0.0
    height = seen.other.albedo.shape[0]
    rows = np.arange(height)[:, None, None]
    lowest = chance.uniform(0, 0.5) * height  # the camera itself is mirrored above this row
    mirrored = mirror / (1 + np.exp(-(rows - lowest) / 3))
    held = _held(seen) if chance.random() < 0.5 else 1.0
    for now, (picture, shown) in enumerate(zip(pictures, colours, strict=True)):
        lamps = room.on(AHEAD, now)
        shine = diffuse * (lamps + COVERAGE * shown)
        shine = shine + mirrored * COVERAGE * shown * SCREEN_LUMINANCE / unit
        shine = shine + mirror * SURROUNDINGS * lamps
        behind = seen.other.albedo * _far(room, shown, now)
        yield held * (white * picture + shine) + (1 - held) * behind


def _held(seen: Visit) -> Array:
    """The part of the view that a telephone covers, 1.5 times as wide as the face."""
    left, top, right, bottom = seen.frames[0].face
    width, height = right - left, bottom - top
    covered = np.zeros((*seen.other.albedo.shape[:2], 1))
    rows = slice(max(0, top - height // 2), bottom + height // 3)
    covered[rows, max(0, left - width // 4) : right + width // 4] = 1.0
    return covered
