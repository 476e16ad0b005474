"""AggregateLiveness: judges liveness over several frames instead of a single one."""

from collections import deque
from collections.abc import Callable
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import CountedFace
from aggregator.plugins.sprt import SequentialTest
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import AggregateLivenessArgs
from shared.config.service import Config
from shared.frame.checks import Rules, live_score
from shared.frame.estimation import Estimate, Profile

DATA = "aggregateLiveness"


class AggregateLiveness(Plugin):
    """Requires the mean of the last liveness scores to reach ``livenessScore``.

    Every frame with a liveness measurement counts, even if its own score is too low; a frame with
    the moire of a screen counts as 0. Frames with a low ``livenessQualityScore`` do not count, nor
    do frames within ``minIntervalMs`` of a counted one, which hardly add information. With
    ``earlyDecision``, frames that agree decide sooner: they accept, or end the session.

    If the backend describes faces, only frames of one face count together. Another face restarts
    the count and discards the previous face's best shot, so one person's frames never help another,
    with or without FaceMatcher. A change of face does not end the session.

    Args:
        similarity: minimum cosine similarity with the first counted face to be the same person.
    """

    Args = AggregateLivenessArgs
    gathers = True

    def __init__(self, args: AggregateLivenessArgs, rules: Rules, similarity: float) -> None:
        self._rules = rules
        self._thresholds = rules.thresholds
        self._scores: deque[float] = deque(maxlen=args.framesCount)
        self._test = SequentialTest() if args.earlyDecision else None
        self._interval_ms = args.minIntervalMs
        self._counted_at: float | None = None
        self._face = CountedFace(similarity)

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Read the thresholds, and the similarity of FaceMatcher."""
        rules = Rules.of(config)
        similarity = config.MIDDLEWARES.WS.FaceMatcher.args.similarity
        return lambda: cls(args, rules, similarity)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument, and the thresholds that the plugin uses."""
        thresholds = config.LIVENESS.THRESHOLDS
        return {
            **numbers_of(args),
            "livenessScore": thresholds.livenessScore,
            "livenessQualityScore": thresholds.livenessQualityScore,
            "moire": config.CHECKS.moire,
            "similarity": config.MIDDLEWARES.WS.FaceMatcher.args.similarity,
        }

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Count the score; refuse the frame until enough scores are high enough."""
        if frame.estimate.profile is Profile.ACTIVE:
            return
        measured = frame.estimate.liveness
        if measured is not None and measured.quality_score >= self._thresholds.livenessQualityScore:
            self._restart_for_other_face(context, frame.estimate)
            if self._is_too_soon(context.now):
                if frame.ok:
                    frame.refuse(Code.AGGREGATING)
                return
            self._count(context, live_score(measured, self._rules))
        if self._test is not None and self._test.refuses:
            frame.refuse(Code.LOW_LIVENESS, end=True)
        if not frame.ok or (self._test is not None and self._test.accepts):
            return
        if len(self._scores) < (self._scores.maxlen or 0):
            frame.refuse(Code.AGGREGATING)
        elif self._mean() < self._thresholds.livenessScore:
            frame.refuse(Code.LOW_LIVENESS)

    def _is_too_soon(self, now: float) -> bool:
        """Return whether the last counted frame is less than ``minIntervalMs`` ago."""
        if self._counted_at is None:
            return False
        # Round to milliseconds: a difference of two Unix times of .1 s may come out as .0999999.
        return round((now - self._counted_at) * 1000) < self._interval_ms

    def _count(self, context: SessionContext, score: float) -> None:
        self._counted_at = context.now
        self._scores.append(score)
        if self._test is not None:
            self._test.add(score >= self._thresholds.livenessScore)
        context.data[DATA] = self._summary()

    def _restart_for_other_face(self, context: SessionContext, estimate: Estimate) -> None:
        """Restart the count if the face changed, and discard a best shot of another face."""
        if self._face.changes_to(estimate):
            self._scores.clear()
            if self._test is not None:
                self._test.withdraw_support()
        # Check at every frame: another plugin may have restored an earlier best shot.
        if context.best is not None and not self._face.is_of(context.best):
            context.best_seq, context.best, context.best_shot = 0, None, None

    def _mean(self) -> float:
        return sum(self._scores) / len(self._scores)

    def _summary(self) -> dict[str, float | int]:
        return {
            "score": round(self._mean(), 4),
            "spread": round(max(self._scores) - min(self._scores), 4),
            "frames": len(self._scores),
        }
