"""AggregateLiveness: liveness over several frames instead of one lucky one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.sequential_test import SequentialTest
from aggregator.policy import Stated
from shared.checks import Rules
from shared.codes import Code
from shared.config import Config
from shared.config_plugins import AggregateLivenessArgs
from shared.estimation import Profile

DATA = "aggregateLiveness"


class AggregateLiveness(Plugin):
    """Asks for the mean of the last scores to reach ``livenessScore``.

    Every frame on which liveness was measured counts, also one whose own score was too low; only
    a frame unfit for the measure does not. With ``earlyDecision`` frames that agree decide sooner:
    for the person, or, ending the session, against.

    Args:
        args: how many frames, and whether fewer may do.
        rules: thresholds.
    """

    Args = AggregateLivenessArgs
    gathers = True

    def __init__(self, args: AggregateLivenessArgs, rules: Rules) -> None:
        self._thresholds = rules.thresholds
        self._scores: deque[float] = deque(maxlen=args.framesCount)
        self._test = SequentialTest() if args.earlyDecision else None

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Take the thresholds out of the configuration."""
        rules = Rules.of(config)
        return lambda: cls(args, rules)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument, and the thresholds with which the plugin itself compares."""
        thresholds = config.LIVENESS.THRESHOLDS
        return {
            **numbers_of(args),
            "livenessScore": thresholds.livenessScore,
            "livenessQualityScore": thresholds.livenessQualityScore,
        }

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Take the score in, and refuse the frame until there are enough good ones."""
        if frame.estimate.profile is Profile.ACTIVE:
            return
        measured = frame.estimate.liveness
        if measured is not None and measured.quality_score >= self._thresholds.livenessQualityScore:
            self._scores.append(measured.score)
            if self._test is not None:
                self._test.see(measured.score >= self._thresholds.livenessScore)
            context.data[DATA] = self._summary()
        if self._test is not None and self._test.refuses:
            frame.refuse(Code.LOW_LIVENESS, end=True)
        if not frame.ok or (self._test is not None and self._test.accepts):
            return
        if len(self._scores) < (self._scores.maxlen or 0):
            frame.refuse(Code.AGGREGATING)
        elif self._mean() < self._thresholds.livenessScore:
            frame.refuse(Code.LOW_LIVENESS)

    def _mean(self) -> float:
        return sum(self._scores) / len(self._scores)

    def _summary(self) -> dict[str, float | int]:
        return {
            "score": round(self._mean(), 4),
            "spread": round(max(self._scores) - min(self._scores), 4),
            "frames": len(self._scores),
        }
