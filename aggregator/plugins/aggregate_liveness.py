"""AggregateLiveness: liveness over several frames instead of one lucky one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import Descriptor, descriptor_of
from aggregator.plugins.sequential_test import SequentialTest
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import AggregateLivenessArgs
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Profile

DATA = "aggregateLiveness"


class AggregateLiveness(Plugin):
    """Asks for the mean of the last scores to reach ``livenessScore``.

    Every frame on which liveness was measured counts, also one whose own score was too low; only
    a frame unfit for the measure does not, nor one that follows a counted frame within
    ``minIntervalMs``: frames of one moment say little more than one of them. With ``earlyDecision``
    frames that agree decide sooner: for the person, or, ending the session, against.

    Where the backend describes faces, only frames of one face count together: another face begins
    the count again, and takes the best shot of the face before it away. So nobody vouches for
    somebody else, with or without FaceMatcher, and a change of people ends no session.

    Args:
        args: how many frames, and whether fewer may do.
        rules: thresholds.
        similarity: cosine similarity with the first counted face, at least, of the same person.
    """

    Args = AggregateLivenessArgs
    gathers = True

    def __init__(self, args: AggregateLivenessArgs, rules: Rules, similarity: float) -> None:
        self._thresholds = rules.thresholds
        self._scores: deque[float] = deque(maxlen=args.framesCount)
        self._test = SequentialTest() if args.earlyDecision else None
        self._similarity = similarity
        self._interval_ms = args.minIntervalMs
        self._counted_at: float | None = None
        self._face: Descriptor | None = None

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Take the thresholds out of the configuration, and what FaceMatcher calls one person."""
        rules = Rules.of(config)
        similarity = config.MIDDLEWARES.WS.FaceMatcher.args.similarity
        return lambda: cls(args, rules, similarity)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument, and the thresholds with which the plugin itself compares."""
        thresholds = config.LIVENESS.THRESHOLDS
        return {
            **numbers_of(args),
            "livenessScore": thresholds.livenessScore,
            "livenessQualityScore": thresholds.livenessQualityScore,
            "similarity": config.MIDDLEWARES.WS.FaceMatcher.args.similarity,
        }

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Take the score in, and refuse the frame until there are enough good ones."""
        if frame.estimate.profile is Profile.ACTIVE:
            return
        measured = frame.estimate.liveness
        if measured is not None and measured.quality_score >= self._thresholds.livenessQualityScore:
            self._hold_to_one_face(context, frame.estimate)
            if self._is_too_soon(context.now):
                if frame.ok:
                    frame.refuse(Code.AGGREGATING)
                return
            self._count(context, measured.score)
        if self._test is not None and self._test.refuses:
            frame.refuse(Code.LOW_LIVENESS, end=True)
        if not frame.ok or (self._test is not None and self._test.accepts):
            return
        if len(self._scores) < (self._scores.maxlen or 0):
            frame.refuse(Code.AGGREGATING)
        elif self._mean() < self._thresholds.livenessScore:
            frame.refuse(Code.LOW_LIVENESS)

    def _is_too_soon(self, now: float) -> bool:
        """Whether too little time has passed since the last frame that counted."""
        if self._counted_at is None:
            return False
        # Whole milliseconds, since seconds of the epoch are too coarse: .1 may become .0999999.
        return round((now - self._counted_at) * 1000) < self._interval_ms

    def _count(self, context: SessionContext, score: float) -> None:
        self._counted_at = context.now
        self._scores.append(score)
        if self._test is not None:
            self._test.see(score >= self._thresholds.livenessScore)
        context.data[DATA] = self._summary()

    def _hold_to_one_face(self, context: SessionContext, estimate: Estimate) -> None:
        """Begin the count again at another face, and give up a best shot of another one."""
        face = descriptor_of(estimate)
        if not self._is_counted(face):
            self._face = face
            self._scores.clear()
            if self._test is not None:
                self._test.withdraw_support()
        # Not only at the change: another plugin may have put an earlier best shot back.
        if context.best is not None and not self._is_counted(descriptor_of(context.best)):
            context.best_seq, context.best, context.best_shot = 0, None, None

    def _is_counted(self, face: Descriptor | None) -> bool:
        """Whether a face is the counted one. Faces without a descriptor all count as one.

        They come from a backend that cannot describe; between described ones, as after a reload,
        such a face may be anybody's.
        """
        if face is None or self._face is None:
            return face is self._face
        return float(self._face @ face) >= self._similarity

    def _mean(self) -> float:
        return sum(self._scores) / len(self._scores)

    def _summary(self) -> dict[str, float | int]:
        return {
            "score": round(self._mean(), 4),
            "spread": round(max(self._scores) - min(self._scores), 4),
            "frames": len(self._scores),
        }
