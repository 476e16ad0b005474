"""Judges stored estimates with any thresholds, without measuring the images again.

An estimate of an exhaustive run has every measure, so the checks of ``shared.frame.checks`` can be
repeated with other rules.
"""

from dataclasses import dataclass
from math import inf

import numpy as np

from evaluation.samples import Sample
from shared.frame.checks import Rules, judge, live_score
from shared.frame.estimation import Estimate, Stage


@dataclass(frozen=True, slots=True)
class Measured:
    """A sample and the estimates of its frames.

    Attributes:
        frames: every frame's estimate, up to the first refused one.
        cached: whether the estimates come from an earlier run.
        first: index of the first of these frames in the file.
        refused: why the service would refuse the next frame; empty if all were measured.
    """

    sample: Sample
    frames: tuple[Estimate, ...]
    cached: bool = False
    first: int = 0
    refused: str = ""


Failure = tuple[Stage, tuple[int, ...]]


def failures(estimate: Estimate, rules: Rules, last: Stage = Stage.LIVENESS) -> list[Failure]:
    """Return every failed stage up to ``last``, with its codes, in the order of the stages."""
    stages = (stage for stage in Stage if stage <= last)
    return [(stage, codes) for stage in stages if (codes := judge(stage, estimate, rules))]


def passes_earlier(estimate: Estimate, rules: Rules) -> bool:
    """Return whether a frame passes all checks before the liveness stage."""
    return not failures(estimate, rules, Stage.AGS)


def liveness_score(measured: Measured) -> float | None:
    """Mean liveness score of all frames that have one, regardless of earlier checks.

    This is the score of the liveness estimation alone; None if no frame has one.
    """
    scores = [frame.liveness.score for frame in measured.frames if frame.liveness is not None]
    return float(np.mean(scores)) if scores else None


def served_score(measured: Measured, rules: Rules, window: int = 1) -> float:
    """Highest liveness threshold at which the service would accept a presentation.

    A session continues until a frame succeeds, so its best moment counts: of the frames that pass
    every other check, the best value that both a frame's own score and the mean of the last
    ``window`` scores reach. A frame with the moire of a screen has the score 0. Early decisions of
    AggregateLiveness are not modelled. The score is minus infinity if too few frames pass the other
    checks.
    """
    scores = [
        live_score(frame.liveness, rules)
        for frame in measured.frames
        if frame.liveness is not None
        and passes_earlier(frame, rules)
        and frame.liveness.quality_score >= rules.thresholds.livenessQualityScore
    ]
    if len(scores) < window:
        return -inf
    means = np.convolve(scores, np.full(window, 1 / window), mode="valid")
    return float(np.minimum(means, scores[window - 1 :]).max())
