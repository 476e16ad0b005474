"""Images of people, undamaged and damaged, each with the codes that it should get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.degradations import DEGRADATIONS
from benchmarks.pose import Rendered
from benchmarks.recaptures import ATTACKS
from benchmarks.upright import CHANGES, MASKS, Subject, subject_of, turned
from evaluation.samples import PICTURES
from inference_pool.onnx.backend import OnnxBackend
from lunapass.media import Media
from shared.codes import Code
from shared.config.service import LimitsSection
from shared.frame.estimation import Image

GOOD: frozenset[Code] = frozenset()
SEVERAL = frozenset({Code.SEVERAL_FACES})
TILTED = frozenset({Code.TILTED_LEFT, Code.TILTED_RIGHT})
QUALITY_CODES = {
    "blur": Code.BLURRED,
    "light": Code.TOO_LIGHT,
    "darkness": Code.TOO_DARK,
    "illumination": Code.UNEVEN_LIGHT,
    "specularity": Code.GLARE,
}
MILD, STRONG = 1, 7
"""Index into the strengths of a degradation."""
WEBCAM, WIDE, UPRIGHT_PHONE = (640, 480), (1280, 720), (480, 640)
PLACES = (
    (WEBCAM, 205, 0.5, 0.5),
    (WEBCAM, 240, 0.45, 0.52),
    (WEBCAM, 280, 0.55, 0.5),
    (WIDE, 210, 0.6, 0.4),
    (WIDE, 300, 0.45, 0.5),
    (WIDE, 420, 0.5, 0.5),
    (UPRIGHT_PHONE, 230, 0.5, 0.45),
)
"""Frame, width of the face, and its centre as a share of the frame: all of them pass."""
TOO_FAR = ((WEBCAM, 100), (WEBCAM, 160), (WIDE, 120))
EDGES = {
    Code.MARGIN_LEFT: (0.12, 0.5),
    Code.MARGIN_RIGHT: (0.88, 0.5),
    Code.MARGIN_TOP: (0.5, 0.2),
    Code.MARGIN_BOTTOM: (0.5, 0.8),
}
COMPANY = ((WEBCAM, 205), (WEBCAM, 270), (WIDE, 210), (WIDE, 390))
"""Frame and width of the face beside which a second one appears."""
SECOND = (0.25, 0.3, 0.5, 0.9)
"""Width of the second face over that of the first."""
SECOND_TURNS, TILTED_SHARE = (70, 90, 110, 250, 270), 0.8
"""Degrees by which a second face is turned, and its width over that of the first."""
TURNS = {
    (32, 0, 0): frozenset({Code.TURN_LEFT, Code.TURN_RIGHT}),
    (-32, 0, 0): frozenset({Code.TURN_LEFT, Code.TURN_RIGHT}),
    (0, 30, 0): frozenset({Code.CHIN_UP, Code.CHIN_DOWN}),
    (0, -30, 0): frozenset({Code.CHIN_UP, Code.CHIN_DOWN}),
}
CROWD = "classroom"
"""Name of the clip that shows several people."""
MEDIA = Media(LimitsSection(frameWidth=8192, frameHeight=8192, framePixels=64_000_000))
CLIP_STEP = 4


@dataclass(frozen=True)
class Form:
    """An image of a person.

    Attributes:
        codes: of these it should get at least one; none for a good frame.
    """

    person: str
    name: str
    image: Image
    codes: frozenset[Code]


def forms(folder: Path, backend: OnnxBackend, step: int = 1) -> Iterator[Form]:
    """Yield every form of each Nth image of a person, and frames of the clips of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in PICTURES)
    paths = [path for path in paths if "print" not in path.name]
    for number, path in list(enumerate(paths))[::step]:
        person = re.sub(r"-\d$", "", path.stem)
        subject, other = (
            subject_of(next(MEDIA.frames(one)), backend)
            for one in (path, paths[(number + len(paths) // 3) % len(paths)])
        )
        for name, image, codes in _forms_of(subject, other, backend, number):
            yield Form(person, name, image, codes)
    for path in sorted(folder.rglob("*.gif")):
        codes = SEVERAL if CROWD in path.stem else GOOD
        for image in list(MEDIA.frames(path))[::CLIP_STEP]:
            yield Form(path.stem, "clip", image, codes)


def _forms_of(
    subject: Subject, other: Subject, backend: OnnxBackend, seed: int
) -> Iterator[tuple[str, Image, frozenset[Code]]]:
    yield "as stored", subject.image, GOOD
    for size, width, x, y in PLACES:
        yield f"{width} of {size[0]}", placed(subject, size, width, x, y), GOOD
    for size, width in TOO_FAR:
        image = placed(subject, size, width, 0.5, 0.5)
        yield f"{width} of {size[0]}", image, frozenset({Code.FACE_TOO_NARROW})
    for code, (x, y) in EDGES.items():
        yield code.name, placed(subject, WEBCAM, 205, x, y), frozenset({code})
    for damage in DEGRADATIONS:
        steps = {MILD: GOOD}
        if damage.measure:
            steps[STRONG] = frozenset({QUALITY_CODES[damage.measure]})
        for step, codes in steps.items():
            image = damage.apply(subject.image, subject.box, damage.strengths[step])
            yield f"{damage.name} {step}", image, codes
    for degrees in (-10, 10):
        yield f"turned {degrees}", turned(subject.image, degrees), GOOD
    for degrees in (-35, 35, 90, 180, 270):
        yield f"turned {degrees}", turned(subject.image, degrees), TILTED
    for name in MASKS:
        yield name, CHANGES[name](subject), frozenset({Code.MOUTH_OCCLUDED})
    for size, width in COMPANY:
        first = placed(subject, size, width, 0.36, 0.55)
        for share in SECOND:
            image = with_second(first, other, share * width)
            yield f"second {share} of {width}", image, SEVERAL
        for degrees in SECOND_TURNS:
            tilted = replace(other, image=turned(other.image, degrees))
            image = with_second(first, tilted, TILTED_SHARE * width)
            yield f"second turned {degrees} of {width}", image, SEVERAL
    chance = np.random.default_rng(seed)
    for kind, attack in ATTACKS.items():
        image = attack(subject.image, subject.box, chance)
        yield kind, image, frozenset({Code.LOW_LIVENESS})
    rendered = Rendered(subject.image, subject.mesh, backend._pose._canonical)
    for angles, codes in TURNS.items():
        yield f"rendered {angles}", rendered.at(*angles), codes


def placed(subject: Subject, size: tuple[int, int], width: float, x: float, y: float) -> Image:
    """Show a subject with a face of this width, its centre at shares of the frame's sides."""
    scale, box = width / subject.box.width, subject.box
    image = subject.image
    if scale < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    step = max(1.0, scale)
    left = size[0] * x - scale * (box.x + box.width / 2)
    top = size[1] * y - scale * (box.y + box.height / 2)
    matrix = np.array([[step, 0, left], [0, step, top]])
    seen = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.uint8)


def with_second(frame: Image, other: Subject, width: float) -> Image:
    """Add another person's head, with a face of this width, at the frame's right."""
    scale, box = width / other.box.width, other.box
    left, right = (max(0, round(box.x + share * box.width)) for share in (-0.35, 1.35))
    top, bottom = (max(0, round(box.y + share * box.height)) for share in (-0.35, 1.2))
    head = cv2.resize(
        other.image[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    height, columns = head.shape[:2]
    rows, free = frame.shape[0], frame.shape[1]
    y = min(max(0, round(0.3 * rows - height / 2)), rows - min(rows, height))
    x = min(round(0.82 * free - columns / 2), free - min(free, columns))
    both = frame.copy()
    shown = both[y : y + height, x : x + columns]
    shown[:] = head[: shown.shape[0], : shown.shape[1]]
    return both
