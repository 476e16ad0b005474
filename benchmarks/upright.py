"""Which way up a face is: measured roll of images rotated by 0..360 degrees, mirrored and degraded.

``python -m benchmarks.upright FILE...`` prints the tables of docs/experiments.md. Every image, and
every frame of a video, is scaled so that its largest face is 240 pixels wide, cropped to a square
around the face and rotated. The true roll is that of the upright image plus the rotation.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import remainder
from pathlib import Path

import cv2
import numpy as np

from benchmarks import degradations as damage
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, distance
from loadtest.synthetic.features import LOWER_LIP, UPPER_LIP
from lunapass.media import Media
from shared.config.loading import load
from shared.config.service import LimitsSection
from shared.errors import EstimationError
from shared.frame.estimation import Box, Image

FACE_WIDTH, SIZE = 240, 640
MEDIA = Media(LimitsSection(frameWidth=8192, frameHeight=8192, framePixels=64_000_000))
"""Photos may be larger than frames."""
STEP = 15
TILTS = (-15, 0, 15)
"""Rotations of the degraded images, upright and upside down, in degrees."""
RIGHT, WRONG = 10, 25
"""A roll is right up to this error in degrees, and wrong above that one."""
UPRIGHT = 20
"""Largest roll in degrees that passes the check by default."""
MASKS = {"surgical mask": (220, 190, 150), "black mask": (30, 30, 30)}
BEARD, HAT, LENS = (20, 25, 35), (60, 40, 40), (20, 22, 25)
LOWER_FACE = (123, 132, 58, 172, 136, 150, 149, 176, 148, 152)
LOWER_FACE_LEFT = (377, 400, 378, 379, 365, 397, 288, 361, 352, 5)
ABOVE_BROWS = (127, 105, 334, 356)
EYES = ((33, 133), (362, 263))


@dataclass(frozen=True)
class Subject:
    """A square image of an upright face, with the face's box and mesh."""

    image: Image
    box: Box
    mesh: Points


Change = Callable[[Subject], Image]


def main(paths: list[str]) -> None:
    """Print both tables."""
    backend = OnnxBackend.from_config(load())
    turns = {turn: Counter[str]() for turn in range(0, 360, STEP)}
    damages = {(name, way): Counter[str]() for name in CHANGES for way in ("up", "down")}
    subjects = 0
    for subject in _subjects(paths, backend):
        subjects += 1
        for mirrored in (False, True):
            image = _mirrored(subject.image) if mirrored else subject.image
            _count(backend, image, turns)
        for name, change in CHANGES.items():
            _count_damaged(backend, change(subject), damages[name, "up"], damages[name, "down"])
    print(f"{subjects} images, {backend.capabilities.name}\n")
    print("| turn | faces found | right | wrong | refused as unclear | read upright |")
    print("|---:|---:|---:|---:|---:|---:|")
    for turn, seen in turns.items():
        print(f"| {turn} | {_row(seen)} |")
    print(
        "\n| damage | found | right | wrong | refused | upside down: found | right | wrong ", end=""
    )
    print("| refused | read upright |\n|---|" + "---:|" * 9)
    for name in CHANGES:
        up, down = damages[name, "up"], damages[name, "down"]
        print(f"| {name} | {_row(up).rsplit(' | ', 1)[0]} | {_row(down)} |")


def _row(seen: Counter[str]) -> str:
    columns = ("found", "right", "wrong", "refused", "upright")
    return " | ".join(str(seen[column]) for column in columns)


def _subjects(paths: list[str], backend: OnnxBackend) -> Iterator[Subject]:
    for path in paths:
        for image in MEDIA.frames(Path(path)):
            yield subject_of(image, backend)


def subject_of(image: Image, backend: OnnxBackend) -> Subject:
    """Cut out the largest face of an image, and fit its mesh."""
    face = max(backend.detect(image), key=lambda found: found.box.area)
    square = _squared(image, face.box)
    face = max(backend.detect(square), key=lambda found: found.box.area)
    backend.head_pose(square, face)
    assert isinstance(face, DetectedFace)
    assert face.mesh is not None
    return Subject(square, face.box, face.mesh)


def _squared(image: Image, box: Box) -> Image:
    scale = FACE_WIDTH / box.width
    x, y = box.x + box.width / 2, box.y + box.height / 2
    matrix = np.array([[scale, 0, SIZE / 2 - scale * x], [0, scale, SIZE / 2 - scale * y]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    border = cv2.BORDER_REPLICATE
    cut = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=flags, borderMode=border)
    return np.asarray(cut, np.uint8)


def _mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def turned(image: Image, degrees: float) -> Image:
    """Rotate an image clockwise around its centre; its border fills the corners."""
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), -degrees, 1)
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), borderMode=border), np.uint8)


def _roll(backend: OnnxBackend, image: Image) -> float | None:
    """Return the roll of the largest face; None if there is no face.

    Raises:
        EstimationError: the face has no pose.
    """
    faces = backend.detect(image)
    if not faces:
        return None
    return backend.head_pose(image, max(faces, key=lambda found: found.box.area)).roll


def _count(backend: OnnxBackend, image: Image, turns: dict[int, Counter[str]]) -> None:
    at_rest = _roll(backend, image) or 0.0
    for turn, seen in turns.items():
        _count_one(backend, turned(image, turn), at_rest + turn, seen)


def _count_damaged(
    backend: OnnxBackend, image: Image, up: Counter[str], down: Counter[str]
) -> None:
    try:
        at_rest = _roll(backend, image) or 0.0
    except EstimationError:
        at_rest = 0.0
    for tilt in TILTS:
        _count_one(backend, turned(image, tilt), at_rest + tilt, up)
        _count_one(backend, turned(image, 180 + tilt), at_rest + 180 + tilt, down)


def _count_one(backend: OnnxBackend, image: Image, truth: float, seen: Counter[str]) -> None:
    try:
        roll = _roll(backend, image)
    except EstimationError:
        seen["found"] += 1
        seen["refused"] += 1
        return
    if roll is None:
        return
    error = abs(remainder(roll - truth, 360))
    seen["found"] += 1
    if error <= RIGHT:
        seen["right"] += 1
    if error > WRONG:
        seen["wrong"] += 1
    if abs(roll) <= UPRIGHT:
        seen["upright"] += 1


def _masked(colour: tuple[int, int, int]) -> Change:
    outline = LOWER_FACE + LOWER_FACE_LEFT
    return lambda subject: _filled(subject, outline, colour)


def _filled(subject: Subject, outline: tuple[int, ...], colour: tuple[int, int, int]) -> Image:
    painted = subject.image.copy()
    hull = cv2.convexHull(subject.mesh[list(outline), :2].astype(np.int32))
    cv2.fillPoly(painted, [hull], colour)
    return painted


def _beard(subject: Subject) -> Image:
    """Draw dark noise over jaw and upper lip, but not over the lips."""
    mask = np.zeros(subject.image.shape[:2], np.uint8)
    jaw = (*LOWER_FACE[1:], *LOWER_FACE_LEFT[:-2], 426, 2, 206)
    for outline, value in ((jaw, 255), (UPPER_LIP + LOWER_LIP, 0)):
        points = subject.mesh[list(outline), :2].astype(np.int32)
        cv2.fillPoly(mask, [points if value else cv2.convexHull(points)], value)
    share = 0.85 / 255 * cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    hair = np.random.default_rng(0).normal(BEARD, 14, subject.image.shape)
    mixed = subject.image * (1 - share) + np.clip(hair, 0, 255) * share
    return mixed.astype(np.uint8)


def _hat(subject: Subject) -> Image:
    """Cover the area from just above the brows upwards."""
    painted = subject.image.copy()
    up = subject.mesh[10, :2] - subject.mesh[152, :2]
    brim = subject.mesh[list(ABOVE_BROWS), :2] + 0.1 * up
    crown = subject.mesh[[127, 356], :2] + 0.75 * up
    hull = cv2.convexHull(np.concatenate((brim, crown)).astype(np.int32))
    cv2.fillPoly(painted, [hull], HAT)
    return painted


def _glasses(opacity: float) -> Change:
    def wear(subject: Subject) -> Image:
        worn, mesh = subject.image.copy(), subject.mesh
        span = distance(mesh[33], mesh[263])
        lenses = [
            ((float(x), float(y) + 0.04 * span), (0.52 * span, 0.4 * span), 0.0)
            for x, y in (mesh[list(corners), :2].mean(axis=0) for corners in EYES)
        ]
        for lens in lenses:
            cv2.ellipse(worn, lens, LENS, -1)
        worn = np.asarray(cv2.addWeighted(worn, opacity, subject.image, 1 - opacity, 0), np.uint8)
        for lens in lenses:
            cv2.ellipse(worn, lens, LENS, max(1, round(0.03 * span)))
        return worn

    return wear


def _grey(subject: Subject) -> Image:
    grey = cv2.cvtColor(subject.image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _lit_from_below(subject: Subject) -> Image:
    flipped = np.ascontiguousarray(subject.image[::-1])
    return damage.top_light(flipped, subject.box, 4)[::-1]


def _darkest_skin(subject: Subject) -> Image:
    return damage.darker_skin(subject.image, damage.skin_mask(subject.image, subject.mesh), 0.12)


def _by(degrade: damage.Damage, strength: float) -> Change:
    return lambda subject: degrade(subject.image, subject.box, strength)


CHANGES: dict[str, Change] = {
    "none": lambda subject: subject.image,
    "defocus 4 %": _by(damage.defocus, 4),
    "defocus 8 %": _by(damage.defocus, 8),
    "under-exposure, 3 stops": _by(damage.underexposure, 3),
    "over-exposure, 1 stop": _by(damage.exposure, 1),
    "side light, 4 stops": _by(damage.side_light, 4),
    "light from above, 4 stops": _by(damage.top_light, 4),
    "light from below, 4 stops": _lit_from_below,
    "noise, sigma 15": _by(damage.noise, 15),
    "resolution, 2 halvings": _by(damage.downscale, 2),
    "JPEG 15": _by(damage.jpeg, 85),
    "contrast lost, 0.6": _by(damage.contrast, 0.6),
    "grey": _grey,
    "darkest skin": _darkest_skin,
    "clear glasses": _glasses(0.0),
    "sunglasses": _glasses(1.0),
    "beard": _beard,
    "hat": _hat,
    **{name: _masked(colour) for name, colour in MASKS.items()},
}

if __name__ == "__main__":
    main(sys.argv[1:])
