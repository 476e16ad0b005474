"""Simulates sessions from the frames of a labelled set, for sets that have no whole sessions.

The frames of a session depend on each other: all show one person or one attack, and neighbours
hardly differ. So a session is drawn in blocks of neighbouring frames, all of one presentation: the
stationary bootstrap (Politis and Romano 1994).

A single image does not show what varies between frames. Its score is taken as the mean of the
session. The deviations from the mean, in log odds, are drawn in blocks, too: from a presentation
that has several frames, of the same species if there is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import exp, log
from typing import Any
from zlib import crc32

import numpy as np

from aggregator.plugins.signs import MIN_LOG_ODDS_SCORE
from evaluation.judging import Measured, failures
from evaluation.metrics import Scores
from evaluation.samples import PICTURES, frame_order
from shared.errors import ResourceError
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Estimate, Stage

BLOCK = 10
"""Mean length of a block in frames: 2 s at five frames per second. A presentation with fewer than
twice as many frames is drawn in blocks of half its length."""
SEED = 0

Chance = np.random.Generator


@dataclass(frozen=True, slots=True)
class SimulatedSessions:
    """Sessions drawn from presentations, and what was assumed.

    Attributes:
        sessions: those of one presentation follow each other and share its sample.
        single: number of presentations with one frame, whose sessions vary as those of others.
        unreached: number of live presentations without a frame that passes the checks before
            liveness.
        deviation: standard deviation of the log odds within presentations of several frames.
    """

    sessions: list[Measured]
    single: int
    unreached: int
    deviation: float | None


@dataclass(frozen=True, slots=True)
class _Variation:
    """How the log odds of a presentation deviate from their mean, frame by frame."""

    species: str
    deviations: Scores


def presentations(measured: Iterable[Measured]) -> list[Measured]:
    """Join the images of one folder that show the same subject and species.

    They are ordered by the numbers in their names. A video, a session's folder, and an image in no
    folder of its subject are presentations of their own.
    """

    def place(one: Measured) -> tuple[str, str, str]:
        sample = one.sample
        joined = sample.path.suffix.lower() in PICTURES and sample.subject != sample.name
        return sample.species, sample.subject, str(sample.path.parent if joined else sample.path)

    def order(one: Measured) -> tuple[tuple[str, str, str], list[Any]]:
        return place(one), frame_order(one.sample.path)

    groups = (list(group) for _, group in groupby(sorted(measured, key=order), place))
    return [
        replace(own[0], frames=tuple(frame for one in own for frame in one.frames))
        for own in groups
    ]


def simulate(
    presentations: Iterable[Measured],
    rules: Rules,
    *,
    sessions: int,
    frames: int,
    block: int = BLOCK,
) -> SimulatedSessions:
    """Draw sessions of each presentation that has a frame.

    A presentation gives the same sessions in every run.

    Args:
        presentations: their frames' estimates come from exhaustive runs.
        rules: thresholds and limits of the checks.
        sessions: number of sessions of each presentation.
        frames: number of frames of each session.
        block: mean length of a block in frames.

    Raises:
        ResourceError: there are single images, but no presentation has several frames with a
            liveness score; or the models are too weak to accept a session without actions.
    """
    shown = [one for one in presentations if one.frames]
    if any(frame.needs_actions for one in shown for frame in one.frames):
        raise ResourceError(
            "no sessions can be simulated: with these models a session needs actions, which frames"
            " do not show; use the reference models ('lunapass models pull')"
        )
    variations = [found for one in shown if (found := _variation(one)) is not None]
    single = sum(len(one.frames) == 1 for one in shown)
    if single and not variations:
        raise ResourceError(
            "no sessions can be simulated: no presentation has several frames with a liveness"
            " score, which show how it varies within a session; add videos, or several images of"
            " each subject in a folder of its own"
        )
    drawn, unreached = [], 0
    for one in shown:
        judged = replace(one, frames=tuple(_as_worker(frame, rules) for frame in one.frames))
        reached = any(frame.reached_liveness for frame in judged.frames)
        unreached += one.sample.live and not reached
        kind = [own for own in variations if own.species == one.sample.species] or variations
        for number in range(sessions):
            chance = np.random.default_rng((SEED, crc32(one.sample.name.encode()), number))
            drawn.append(replace(one, frames=_session(judged, kind, rules, frames, block, chance)))
    return SimulatedSessions(drawn, single, unreached, _deviation(variations))


def draw_places(length: int, frames: int, block: int, chance: Chance) -> list[int]:
    """Draw places in a sequence, in blocks of consecutive ones.

    A block starts anywhere, its length is geometric, and the first place follows the last.
    Its mean is ``block``, or half of the sequence if that is less.
    """
    starts = chance.random(frames) < 1 / max(1.0, min(block, length / 2))
    places = chance.integers(length, size=frames)
    for frame in range(1, frames):
        if not starts[frame]:
            places[frame] = (places[frame - 1] + 1) % length
    return [int(place) for place in places]


def _session(
    one: Measured,
    variations: Sequence[_Variation],
    rules: Rules,
    frames: int,
    block: int,
    chance: Chance,
) -> tuple[Estimate, ...]:
    if len(one.frames) > 1:
        return tuple(one.frames[at] for at in draw_places(len(one.frames), frames, block, chance))
    source = variations[int(chance.integers(len(variations)))].deviations
    changes = (source[at] for at in draw_places(len(source), frames, block, chance))
    return tuple(_shifted(one.frames[0], change, rules) for change in changes)


def _as_worker(estimate: Estimate, rules: Rules) -> Estimate:
    """Return the estimate of a worker, which stops at the first failed check.

    It has no digest of the pixels: a frame that is drawn twice stands for two frames.
    """
    failed = failures(estimate, rules)
    stage, codes = failed[0] if failed else (Stage.LIVENESS, ())
    liveness = estimate.liveness if stage is Stage.LIVENESS else None
    return replace(estimate, stage=stage, errors=codes, liveness=liveness, pixels=None)


def _shifted(estimate: Estimate, change: float, rules: Rules) -> Estimate:
    """Add to the log odds of the liveness score, if there is one, and check it again."""
    if estimate.liveness is None:
        return estimate
    score = 1 / (1 + exp(-log_odds(estimate.liveness.score) - change))
    moved = replace(estimate, liveness=replace(estimate.liveness, score=score))
    return replace(moved, errors=judge(Stage.LIVENESS, moved, rules))


def _variation(one: Measured) -> _Variation | None:
    """Return how the scores vary, whatever other checks say; None if fewer than two have one."""
    scores = [frame.liveness.score for frame in one.frames if frame.liveness is not None]
    if len(scores) < 2:
        return None
    odds = np.array([log_odds(score) for score in scores])
    return _Variation(one.sample.species, odds - odds.mean())


def _deviation(variations: Sequence[_Variation]) -> float | None:
    """Pool the standard deviations within presentations, each with its degrees of freedom."""
    free = sum(len(one.deviations) - 1 for one in variations)
    squares = sum(float((one.deviations**2).sum()) for one in variations)
    return (squares / free) ** 0.5 if free else None


def log_odds(score: float) -> float:
    """Return the log odds of a score, bounded as those of the networks."""
    bounded = min(1 - MIN_LOG_ODDS_SCORE, max(MIN_LOG_ODDS_SCORE, score))
    return log(bounded / (1 - bounded))
