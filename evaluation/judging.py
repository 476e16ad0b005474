"""Judging stored estimates again: verdicts at any thresholds without another look at a picture.

An estimate of an exhaustive run holds every measure, so the checks of ``shared.frame.checks``
can be asked again with other rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from evaluation.samples import Sample
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Estimate, Stage


@dataclass(frozen=True, slots=True)
class Measured:
    """A sample and the estimates of its frames.

    Attributes:
        sample: what was measured.
        frames: every frame's estimate, up to the first that is refused.
        cached: the estimates come from an earlier run.
        first: place of the first of these frames among those of the file.
        refused: why the service would refuse the next frame; empty where all are judged.
    """

    sample: Sample
    frames: tuple[Estimate, ...]
    cached: bool = False
    first: int = 0
    refused: str = ""


Fault = tuple[Stage, tuple[int, ...]]


def faults(estimate: Estimate, rules: Rules, last: Stage = Stage.LIVENESS) -> list[Fault]:
    """Answer every stage that fails, up to a last one, and its codes, in the stages' order."""
    stages = (stage for stage in Stage if stage <= last)
    return [(stage, codes) for stage in stages if (codes := judge(stage, estimate, rules))]


def passes_earlier(estimate: Estimate, rules: Rules) -> bool:
    """Whether a frame comes as far as the liveness estimation."""
    return not faults(estimate, rules, Stage.AGS)


def liveness_score(measured: Measured) -> float | None:
    """Mean liveness of all frames that have one, whatever the checks before say.

    This is the score of the liveness estimation alone; None where no frame has one.
    """
    scores = [frame.liveness.score for frame in measured.frames if frame.liveness is not None]
    return float(np.mean(scores)) if scores else None


def served_score(measured: Measured, rules: Rules, window: int = 1) -> float:
    """Greatest liveness threshold at which the service would accept a presentation.

    A session goes on until a frame succeeds, so its best moment counts: among the frames that pass
    every other check the best that has both its own score and the mean of the last ``window`` so
    high. An early decision of AggregateLiveness is not followed.

    Returns:
        The score; minus infinity where too few frames pass the other checks.
    """
    scores = [
        frame.liveness.score
        for frame in measured.frames
        if frame.liveness is not None
        and passes_earlier(frame, rules)
        and frame.liveness.quality_score >= rules.thresholds.livenessQualityScore
    ]
    return best_moment(scores, window)


def best_moment(scores: Sequence[float], window: int) -> float:
    """Greatest value that a score and the mean of so many up to it reach; minus infinity if few."""
    if len(scores) < window:
        return -inf
    means = np.convolve(scores, np.full(window, 1 / window), mode="valid")
    return float(np.minimum(means, scores[window - 1 :]).max())
