"""Bestshot: chooses the frame with the highest liveness score for the token."""

from collections.abc import Callable
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Profile, Stage


class Bestshot(Plugin):
    """Retains the frame with the highest liveness score.

    A frame must pass every stage with a quality score of at least ``livenessQualityScore``, and
    one eye must be open unless sunglasses are allowed. Of equal scores the earlier frame wins.
    Without a liveness model, the suitability for face comparison (AGS) decides.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Read the thresholds."""
        rules = Rules.of(config)
        return lambda: cls(rules)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Make the frame the best shot if it is the best so far."""
        if frame.errors or not self._eligible(frame.estimate):
            return
        if context.best is None or _score(frame.estimate) > _score(context.best):
            context.best_seq = frame.seq
            context.best = frame.estimate
            context.best_shot = frame.shot

    def _eligible(self, estimate: Estimate) -> bool:
        if not estimate.ok or estimate.profile is not Profile.PASSIVE:
            return False
        liveness, eyes = estimate.liveness, estimate.eyes
        if liveness is None:
            if estimate.stage is not Stage.AGS:
                return False
        elif liveness.quality_score < self._rules.thresholds.livenessQualityScore:
            return False
        closed = eyes is None or not (eyes.left_open or eyes.right_open)
        return not closed or self._rules.sunglasses_allowed


def _score(estimate: Estimate) -> tuple[bool, float]:
    """Return a frame's rank: frames with a liveness score rank above all without."""
    if estimate.liveness is not None:
        return True, estimate.liveness.score
    return False, estimate.ags or 0.0
