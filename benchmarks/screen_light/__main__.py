"""The screen light challenge on rendered people and attacks, in light of 1 to 8 times the screen's.

Each row has the same visits: their portraits, motions, sequences and delays. Portraits and seeds
are not those that the thresholds were chosen with.

    python -m benchmarks.screen_light PORTRAIT... [--sessions 100] [--ambient 1 2 4 8]
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.screen_light.camera import FPS
from benchmarks.screen_light.detector import Answer, answer
from benchmarks.screen_light.presentations import KINDS, film, measure, visit
from benchmarks.screen_light.scene import Actor
from benchmarks.screen_light.sequence import LightSequence
from benchmarks.setting import models
from evaluation.metrics import wilson
from inference_pool.onnx.backend import OnnxBackend
from lunapass.demo import portrait_of

OTHERS = 199
FIRST_SEED = 20_000
MEDIANS = ("correlation", "gain", "exponent")
Answers = dict[tuple[str, float], Answer]


@cache
def actor(path: Path) -> Actor:
    """Fit the mesh to a portrait."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path}: not an image")
    return Actor(portrait_of(np.asarray(image, np.uint8), OnnxBackend(models())))


def session(paths: list[Path], number: int, ambients: list[float]) -> Answers:
    """Show one visit in every way and light."""
    cv2.setNumThreads(1)
    seen = visit(
        actor(paths[number % len(paths)]),
        actor(paths[(number + 1) % len(paths)]),
        FIRST_SEED + number,
    )
    chance = np.random.default_rng(number)
    others = [LightSequence(chance, len(seen.times) / FPS + 1) for _ in range(OTHERS)]
    return {
        (kind, ambient): answer(
            seen.times, measure(film(kind, seen, ambient), seen), seen.shown, others
        )
        for kind in KINDS
        for ambient in ambients
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portraits", nargs="+", type=Path)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--ambient", nargs="+", type=float, default=[1, 2, 4, 8])
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.processes) as pool:
        jobs = [
            pool.submit(session, asked.portraits, number, asked.ambient)
            for number in range(asked.sessions)
        ]
        found = [job.result() for job in jobs]
    table = Table("", "light", "follows", "accepted", "95 % interval", *MEDIANS)
    for kind in KINDS:
        for ambient in asked.ambient:
            answers = [answers[kind, ambient] for answers in found]
            table.add_row(kind, f"x{ambient:g}", *_figures(answers))
    Console(width=140).print(table)


def _figures(answers: list[Answer]) -> list[str]:
    accepted = sum(one.accepted for one in answers)
    low, high = wilson(accepted, len(answers))
    middle = [np.median([getattr(one, name) for one in answers]) for name in MEDIANS]
    return [
        f"{sum(one.correlated for one in answers)} of {len(answers)}",
        str(accepted),
        f"{100 * low:.1f} to {100 * high:.1f} %",
        *(f"{value:.2f}" for value in middle),
    ]


if __name__ == "__main__":
    main()
