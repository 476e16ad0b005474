"""A session as the aggregator sees it: a pure fold of its events into a verdict."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from shared.codes import Code
from shared.config_manual import LivenessSection
from shared.estimation import Estimate, Profile
from shared.messages import Open

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event led to.

    Attributes:
        errors: codes for the client; empty means the frame is accepted.
        final: the session is decided.
        accepted: the session has succeeded; only ever together with ``final``.
        keep: this frame is the best shot from now on.
        profile: checks asked of the next frame.
        seq: frame of the token, when accepted.
    """

    errors: tuple[int, ...]
    final: bool
    accepted: bool
    keep: bool
    profile: Profile


@dataclass
class Session:
    """State of one session; every method is a fold step without outside effect.

    Attributes:
        opened: the event that began it.
        context: what the plugins share.
        attempts: frames judged so far.
        liveness_attempts: frames that reached the liveness estimation.
        last_seq: number of the last frame folded in.
        outcome: the final outcome, once there is one.
    """

    opened: Open
    plugins: list[Plugin]
    limits: LivenessSection
    context: SessionContext = field(init=False)
    attempts: int = 0
    liveness_attempts: int = 0
    last_seq: int = 0
    outcome: Outcome | None = None

    def __post_init__(self) -> None:
        self.context = SessionContext(
            session=self.opened.session,
            random=random.Random(self.opened.seed),  # noqa: S311  the seed itself is secret
            log=log,
            now=self.opened.at,
            mirrored=self.opened.mirrored,
            replay=self.opened.replay,
        )
        for plugin in self.plugins:
            plugin.on_open(self.context)

    def fold(
        self, seq: int, at: float, estimate: Estimate, frame: bytes | None, *, replay: bool
    ) -> Outcome:
        """Judge one frame.

        A plugin that raises ends its session without success (code 71); other sessions never
        notice.
        """
        self.last_seq = seq
        self.context.now = at
        self.context.replay = replay
        self.attempts += 1
        self.liveness_attempts += estimate.reached_liveness
        judged = FrameJudgement(seq, estimate, frame, list(estimate.errors))
        best_before = self.context.best_seq
        self._ask_plugins(judged)
        self._guard(judged)
        accepted = judged.ok and not judged.ended
        outcome = Outcome(
            errors=tuple(judged.errors),
            final=accepted or judged.ended or self._exhausted(),
            accepted=accepted,
            keep=self.context.best_seq == seq and best_before != seq,
            profile=self.context.profile,
        )
        if outcome.final:
            self._end(outcome)
        return outcome

    def close(self, at: float) -> Outcome:
        """End the session from outside; without a verdict so far it has failed (code 40)."""
        self.context.now = at
        if self.outcome is None:
            failed = Outcome((Code.SESSION_FAILED,), True, False, False, self.context.profile)
            self._end(failed)
            return failed
        return self.outcome

    def _ask_plugins(self, judged: FrameJudgement) -> None:
        for plugin in self.plugins:
            try:
                plugin.on_estimate(self.context, judged)
            except Exception:
                log.exception(
                    "plugin %s failed",
                    type(plugin).__name__,
                    extra={"fields": {"session": self.opened.session, "seq": judged.seq}},
                )
                judged.errors.append(Code.PLUGIN_FAILED)
                judged.ended = True
            if judged.ended:
                return

    def _guard(self, judged: FrameJudgement) -> None:
        """Fail closed, whatever plugins are on: only a live, fully judged frame is accepted."""
        if not judged.ok:
            return
        if judged.estimate.profile is not Profile.PASSIVE:
            judged.errors.append(Code.AGGREGATING)
        elif judged.estimate.liveness is None:
            judged.errors.append(Code.LIVENESS_FAILED)
        elif self.context.best_seq == 0:
            self._take_as_best(judged)
        if judged.ok and self.context.best_frame is None:
            judged.errors.append(Code.SESSION_FAILED)
            judged.ended = True

    def _take_as_best(self, judged: FrameJudgement) -> None:
        """Without Bestshot the accepted frame itself is the one in the token."""
        self.context.best_seq = judged.seq
        self.context.best = judged.estimate
        self.context.best_frame = judged.frame

    def _exhausted(self) -> bool:
        most, most_liveness = self.limits.maxAttempts, self.limits.maxLivenessAttempts
        return (most > 0 and self.attempts >= most) or (
            most_liveness > 0 and self.liveness_attempts >= most_liveness
        )

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        for plugin in self.plugins:
            try:
                plugin.on_close(self.context, accepted=outcome.accepted)
            except Exception:
                log.exception("plugin %s failed at the end", type(plugin).__name__)
