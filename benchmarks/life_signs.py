"""The eyes' sign of LifeSigns on rendered people and photographs, and what it costs.

Each session has 21 frames, 0.2 s apart; those with shut eyes do not count, as in the service. A
photograph is one frame of the person, moved, bent or lit as a hand does it. For comparison, the
table also has the deviation of the eye openness by the contour network, which LifeSigns used
before, with its threshold of 0.01.

    python -m benchmarks.life_signs PORTRAIT...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import thread_time

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from aggregator.plugins.eyelids import eyelid_motion
from aggregator.plugins.signs import SignsWindow, _robust_deviation
from benchmarks.setting import models
from inference_pool.eyelids import eyelids_of
from inference_pool.onnx.backend import OnnxBackend
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.sensor import with_noise
from lunapass.demo import portrait_of
from shared.config.life_signs import LifeSignsArgs
from shared.errors import EstimationError
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image

Chance = np.random.Generator
Curve = NDArray[np.float64]
FRAMES, FPS = 21, 5.0
EARLY = 11
"""Frames of the first two seconds."""
PERSISTENCE = 0.67
"""Correlation of a motion from one frame to the next: 0.2 s of half a second."""
ARGS = LifeSignsArgs()
OPENNESS_LIMIT = 0.01
PEOPLE = ("blinks", "squints", "talks", "sits", "sits quietly", "sways")
PHOTOGRAPHS = ("on a stand", "in a hand", "tilted", "zoomed", "bent", "lit", "in a shadow", "noisy")
SIZE = (640, 480)
CORNERS = np.array([[0, 0], [640, 0], [640, 480], [0, 480]], np.float32)


@dataclass(frozen=True)
class Row:
    """Deviation of one session after 2 and after 4 s, by eyelids and by openness."""

    eyelids: tuple[float, float]
    openness: tuple[float, float]


def wandering(chance: Chance, deviation: float, *shape: int) -> Curve:
    """A motion in time, (frames, *shape), with this standard deviation."""
    steps = chance.normal(0, deviation, (FRAMES, *shape))
    for now in range(1, FRAMES):
        steps[now] = PERSISTENCE * steps[now - 1] + (1 - PERSISTENCE**2) ** 0.5 * steps[now]
    return steps


def person(way: str, actor: Person, chance: Chance) -> Iterator[Image]:
    """Render a person who does something; ``sways``: the head turns, the lids stay as they are."""
    yaw, pitch = wandering(chance, 0.6), wandering(chance, 0.4)
    lids, mouth = wandering(chance, 1.0), np.abs(wandering(chance, 0.1))
    phase = chance.uniform(0, 3)
    for now in range(FRAMES):
        seconds = now / FPS + phase
        closed = {
            "blinks": 0.9 if seconds % 3.0 < 0.25 else 0.02,
            "squints": 0.35 if seconds % 1.6 < 0.6 else 0.02,
            "talks": abs(0.12 * lids[now]),
            "sits": 0.1 + 0.07 * lids[now],
            "sits quietly": 0.06 + 0.05 * lids[now],
            "sways": 0.0,
        }[way]
        eye = float(np.clip(closed, 0, 1))
        opened = float(mouth[now]) if way == "talks" else 0.0
        sway = 2.0 if way == "sways" else 1.0
        yield actor.render(Look(sway * yaw[now], sway * pitch[now], 0.0, eye, eye, opened))


def photograph(way: str, image: Image, chance: Chance) -> Iterator[Image]:
    """Show a photograph in some way."""
    turn, shift = np.radians(wandering(chance, 1.0)), wandering(chance, 5, 2)
    corners, part = wandering(chance, 4, 4, 2), wandering(chance, 0.04)
    for now in range(FRAMES):
        if way in ("in a hand", "tilted"):
            cos, sin = np.cos(turn[now]), np.sin(turn[now])
            spun = (CORNERS - (320, 240)) @ np.array([[cos, sin], [-sin, cos]])
            if way == "tilted":
                spun[:, 1] *= np.cos(np.radians(min(24.0, 500 * abs(part[now]))))
            moved = (spun + (320, 240) + shift[now] + corners[now]).astype(np.float32)
            yield _warped(image, cv2.getPerspectiveTransform(CORNERS, moved))
        elif way == "zoomed":
            zoom = cv2.getRotationMatrix2D((320, 240), 0, 1 + part[now])
            yield _warped(image, np.vstack([zoom, [0, 0, 1]]))
        elif way == "bent":
            yield _bent(image, 0.15 + part[now])
        elif way == "lit":
            yield _lit(image, 1 + 2 * part[now] + np.linspace(-1, 1, 640) * (0.05 + part[now]))
        elif way == "in a shadow":
            edge = np.arange(640) - 320 - 250 * np.sin(2 * now / FPS)
            yield _lit(image, 0.6 + 0.4 / (1 + np.exp(-edge / 25)))
        else:
            noise = chance.normal(0, 4 if way == "noisy" else 1, image.shape)
            yield np.clip(image + noise, 0, 255).astype(np.uint8)


def _warped(image: Image, matrix: Curve) -> Image:
    moved = cv2.warpPerspective(image, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def _bent(image: Image, bend: float) -> Image:
    """Bend it round a cylinder."""
    x, y = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    source = 320 + 320 * np.sin((x - 320) / 320 * (1 + bend)) / np.sin(1 + bend)
    return np.asarray(cv2.remap(image, source.astype(np.float32), y, cv2.INTER_LINEAR), np.uint8)


def _lit(image: Image, light: Curve) -> Image:
    return np.clip(image * light[None, :, None], 0, 255).astype(np.uint8)


def measured(frames: Iterator[Image], backend: OnnxBackend, chance: Chance) -> Row:
    """Measure a session as worker and aggregator do, without the other checks."""
    window, openness = SignsWindow(ARGS.windowSeconds, ARGS.framesCount, Rules()), []
    early = openness_early = 0.0
    for number, frame in enumerate(frames):
        _, jpeg = cv2.imencode(".jpg", with_noise(frame, chance), [cv2.IMWRITE_JPEG_QUALITY, 85])
        image = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
        face = max(backend.detect(image), key=lambda one: one.box.area)
        pose = backend.head_pose(image, face)
        eyes = backend.eyes(image, face, careful=True)
        if not (eyes.left_open or eyes.right_open):
            continue  # refused by the check of the eyes, so no plugin compares it
        openness.append((eyes.left + eyes.right) / 2)
        eyelids = eyelids_of(image, backend.eye_centres(image, face))
        seen = Estimate(*SIZE, head_pose=pose, face=face.box, eyelids=eyelids)
        window.add(1000 + number / FPS, seen)
        if number < EARLY:
            early = window.signs().eyes or 0.0
            openness_early = _robust_deviation(openness) or 0.0
    late = window.signs().eyes or 0.0
    return Row((early, late), (openness_early, _robust_deviation(openness) or 0.0))


def cost(backend: OnnxBackend, image: Image) -> str:
    """Median CPU time in µs of what one frame costs, before and now."""
    face = max(backend.detect(image), key=lambda one: one.box.area)
    backend.head_pose(image, face)
    taken: dict[str, list[float]] = {"contour network": [], "worker": [], "aggregator": []}
    eyelids = eyelids_of(image, backend.eye_centres(image, face))
    for _ in range(100):
        start = thread_time()
        backend.eyes(image, face, careful=True)
        network = thread_time()
        eyelids_of(image, backend.eye_centres(image, face))
        worker = thread_time()
        eyelid_motion(eyelids, eyelids)
        end = thread_time()
        spans = (network - start, worker - network, end - worker)
        for name, span in zip(taken, spans, strict=True):
            taken[name].append(1e6 * span)
    return ", ".join(f"{name} {np.median(spans):.0f}" for name, spans in taken.items())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", nargs="+", type=Path)
    paths, backend = parser.parse_args().portraits, OnnxBackend(models())
    rows: dict[str, list[Row]] = {name: [] for name in (*PEOPLE, *PHOTOGRAPHS)}
    chance, image = np.random.default_rng(1), np.zeros((480, 640, 3), np.uint8)
    for path in paths:
        try:
            actor = Person(portrait_of(np.asarray(cv2.imread(str(path)), np.uint8), backend))
        except EstimationError as error:
            print(f"{path}: {error}")
            continue
        image = actor.render(Look())
        for way, found in rows.items():
            of = person(way, actor, chance) if way in PEOPLE else photograph(way, image, chance)
            found.append(measured(of, backend, chance))
    _print(rows)
    print("µs of CPU for each frame:", cost(backend, image))


def _print(rows: dict[str, list[Row]]) -> None:
    table = Table("", "sessions", "eyelids 2 s", "4 s", "above", "openness 2 s", "4 s", "above")
    lids = tuple(name for name in PEOPLE if name != "sways")
    groups = {"people": lids, "photographs": PHOTOGRAPHS, **{name: (name,) for name in rows}}
    for name, ways in groups.items():
        found = [row for way in ways for row in rows[way]]
        cells = []
        for measure, limit in (("eyelids", ARGS.eyesDeviation), ("openness", OPENNESS_LIMIT)):
            values = np.array([getattr(row, measure) for row in found])
            low, middle, high = np.quantile(values, [0, 0.5, 1], axis=0)
            cells += [f"{a:.4f} {b:.4f} {c:.4f}" for a, b, c in zip(low, middle, high, strict=True)]
            cells.append(" ".join(str(n) for n in (values >= limit).sum(axis=0)))
        table.add_row(name, str(len(found)), *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
