"""AggregateLiveness and ``livenessRefusals`` on simulated sessions of people and recaptures.

    python -m benchmarks.simulated_sessions PORTRAITS REPORT.html

PORTRAITS has an image per person. One simulated camera (``benchmarks.recaptures``) takes a clip of
each person, and of a print and a screen that show the person; all move in the same way, as in a
hand. People whose portrait fails a check before liveness are left out. Sessions are drawn from the
clips and judged as by ``lunapass evaluate --simulate``. The attacks are simulated, so their rates
say nothing about real ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.life_signs import PERSISTENCE
from benchmarks.recaptures import ATTACKS, SiteCamera
from benchmarks.setting import MODELS
from evaluation.adapt.light import to_pixels
from evaluation.adapt.recapture import Scene
from evaluation.judging import Measured, passes_earlier
from evaluation.samples import LIVE, PICTURES, Sample
from evaluation.simulation import BLOCK, log_odds
from evaluation.trade_off_report import html
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from lunapass.simulated_evaluation import compare_settings
from shared.config.luna_pass import LivenessSection, ThresholdsSection
from shared.config.service import Config, ModelsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Box, Image, Profile
from shared.report import percent, write_report

FRAMES = 30
"""Frames of a clip: 6 s at five frames per second."""
SESSIONS, SESSION_FRAMES, FPS = 10, 40, 5.0
BLOCKS = (1, BLOCK, 30)
"""Mean lengths of a block to compare; 1 draws independent frames."""
SHIFT, TURN, ZOOM, EXPOSURE = 0.02, 1.5, 0.02, 0.04
"""Deviations of the motion: in widths of the face, in degrees, and as shares."""

CONFIG = Config(
    MODELS=ModelsSection(directory=str(MODELS)),
    LIVENESS=LivenessSection(THRESHOLDS=ThresholdsSection(faceWidth=80, faceHeight=80)),
)
"""The portraits' faces have fewer than 200 pixels."""


def measured(file: Path, number: int, estimator: Estimator) -> Iterator[Measured]:
    """Measure the clips of a person; none if the portrait fails a check before liveness."""
    portrait = np.asarray(cv2.imread(str(file)), np.uint8)
    seen = estimator.estimate(portrait, Profile.PASSIVE)
    if seen.face is None or not passes_earlier(seen, Rules.of(CONFIG)):
        print(f"{file.name}: not used, code {int(seen.errors[0])}")
        return
    scene = Scene.of(portrait, seen.face)
    pixels = to_pixels(scene.light)
    chance = np.random.default_rng([99, number])
    images = {"": pixels}
    images |= {name: attack(pixels, scene.face, chance) for name, attack in ATTACKS.items()}
    for species, image in images.items():
        frames = tuple(
            estimator.estimate(frame, Profile.PASSIVE) for frame in clip(image, scene.face, chance)
        )
        yield Measured(Sample(file, f"{species or LIVE}/{file.stem}", species, file.stem), frames)


def clip(image: Image, face: Box, chance: np.random.Generator) -> Iterator[Image]:
    """Take an image that moves; the camera's blur, exposure and noise stay as they are."""
    camera, seed = SiteCamera(7), int(chance.integers(1 << 32))
    centre = face.x + face.width / 2, face.y + face.height / 2
    size = image.shape[1], image.shape[0]
    for across, down, turn, zoom, exposure in _wandering(chance):
        matrix = cv2.getRotationMatrix2D(centre, TURN * turn, 1 + ZOOM * zoom)
        matrix[:, 2] += SHIFT * face.width * np.array([across, down])
        moved = cv2.warpAffine(
            image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        lit = np.clip(moved * (1 + EXPOSURE * exposure), 0, 255).astype(np.uint8)
        yield camera.take(lit, face, np.random.default_rng(seed))


def _wandering(chance: np.random.Generator) -> Any:
    """Return five motions of deviation 1, (FRAMES, 5), each correlated from frame to frame."""
    steps = chance.standard_normal((FRAMES, 5))
    for now in range(1, FRAMES):
        steps[now] = PERSISTENCE * steps[now - 1] + (1 - PERSISTENCE**2) ** 0.5 * steps[now]
    return steps


def dependence(clips: Iterable[Measured]) -> tuple[float, float]:
    """Return how far the log odds of a clip's frames depend on each other.

    Args:
        clips: those of one kind; clips without a score are left out.

    Returns:
        The share of their variance that is between clips, and within clips their correlation with
        those of the next frame.
    """
    means, deviations = [], []
    for one in clips:
        seen = [frame.liveness.score for frame in one.frames if frame.liveness is not None]
        if not seen:
            continue
        odds = np.array([log_odds(score) for score in seen])
        means.append(odds.mean())
        deviations.append(odds - means[-1])
    before, after = np.array([pair for one in deviations for pair in pairwise(one)]).T
    within = float(np.mean(np.concatenate(deviations) ** 2))
    between = float(np.var(means))
    return between / (between + within), float((before * after).mean() / within)


def main() -> None:
    """Measure, write the report and print the settings for each length of a block."""
    folder, report = map(Path, sys.argv[1:])
    estimator = Estimator(OnnxBackend.from_config(CONFIG), Rules.of(CONFIG), exhaustive=True)
    files = sorted(path for path in folder.iterdir() if path.suffix in PICTURES)
    clips = [one for n, file in enumerate(files) for one in measured(file, n, estimator)]
    for kind in sorted({one.sample.species for one in clips}):
        own = [one for one in clips if one.sample.species == kind]
        between, correlation = dependence(own)
        print(f"{len(own)} clips of {kind or LIVE}; {between:.2f} of the variance is between them;")
        print(f"within them the correlation from frame to frame is {correlation:.2f}")
    print(f"single frames accepted: {_single_frames(clips)}")
    for block in BLOCKS:
        summary = compare_settings(
            clips, CONFIG, sessions=SESSIONS, frames=SESSION_FRAMES, fps=FPS, block=block
        )
        print(f"\nblocks of {block}: {summary['answer']}")
        if block == BLOCK:
            _print(summary["settings"])
            write_report(report, html(summary, "Simulated sessions"))


def _single_frames(clips: Sequence[Measured]) -> str:
    """Return the share of passing frames of each kind."""
    kinds = sorted({one.sample.species for one in clips})
    frames = {
        kind: list(chain(*(one.frames for one in clips if one.sample.species == kind)))
        for kind in kinds
    }
    shares = {kind: sum(one.ok for one in own) / len(own) for kind, own in frames.items()}
    return ", ".join(f"{kind or LIVE} {percent(share)}" for kind, share in shares.items())


def _print(rows: Sequence[dict[str, Any]]) -> None:
    species = list(rows[0]["apcer"])
    print(f"| rule | limit | live refused | {' | '.join(species)} | half total error | frames |")
    print("|---|---|---:|" + "---:|" * (len(species) + 2))
    for row in rows:
        rates = [percent(rate["rate"]) for rate in (row["bpcer"], *row["apcer"].values())]
        rule = row["rule"] + ("*" if row["front"] else "")
        total = percent(row["halfTotalError"])
        print(f"| {rule} | {row['limit']} | {' | '.join(rates)} | {total} | {row['liveFrames']} |")


if __name__ == "__main__":
    main()
