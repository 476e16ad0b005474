"""Bestshot: the best frame by liveness among those sent becomes the one in the token."""

from __future__ import annotations

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from shared.checks import Rules
from shared.estimation import Estimate


class Bestshot(Plugin):
    """Keeps the frame with the highest liveness score.

    Only a frame that reached the liveness estimation with a quality score above
    ``livenessQualityScore`` counts, and never one with both eyes closed unless sunglasses are
    allowed. Among equal scores the earlier frame stays.

    Args:
        rules: thresholds.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._best_score = float("-inf")

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Remember the frame if it is the best so far."""
        if not self._eligible(frame.estimate):
            return
        assert frame.estimate.liveness is not None
        score = frame.estimate.liveness.score
        if score > self._best_score:
            self._best_score = score
            context.best_seq = frame.seq
            context.best = frame.estimate
            context.best_frame = frame.frame

    def _eligible(self, estimate: Estimate) -> bool:
        liveness, eyes = estimate.liveness, estimate.eyes
        if liveness is None or not estimate.ok:
            return False
        if liveness.quality_score < self._rules.thresholds.livenessQualityScore:
            return False
        closed = eyes is None or not (eyes.left_open or eyes.right_open)
        return not closed or self._rules.sunglasses_allowed
