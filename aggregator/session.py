"""A session as the aggregator sees it: a pure fold of its events into a verdict.

A frame's way through the plugins is a generator that stops where a plugin asks the outside. Whoever
drives the session gets the question, and hands in the answer whenever there is one; a replay hands
in the answers of the log, so that nothing is asked twice.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aggregator.attempts import Attempts
from aggregator.copies import CopyCheck
from aggregator.frame_memory import FrameMemory
from aggregator.plugins.base import FrameJudgement, Plugin, Question, SessionContext
from aggregator.policy import UNKNOWN, Basis, Policy
from aggregator.telling import of_client, sound
from shared.codes import Code
from shared.config.manual import LivenessSection
from shared.config.service import LimitsSection
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Open

log = logging.getLogger(__name__)

Answer = bytes | None
Chain = Generator[Question, Answer, None]
Best = tuple[int, Estimate | None, BestShot | None]


class Outcome(NamedTuple):
    """What one event led to.

    Attributes:
        errors: codes for the client; empty means the frame is accepted.
        final: the session is decided.
        accepted: the session has succeeded; only ever together with ``final``.
        keep: this frame is the best shot from now on.
        profile: checks asked of the next frame.
        answers: what the outside answered on the way.
    """

    errors: tuple[int, ...]
    final: bool
    accepted: bool
    keep: bool
    profile: Profile
    answers: tuple[Answer, ...] = ()


@dataclass
class Judging:
    """A frame in the middle of its judgement.

    Attributes:
        frame: the frame.
        chain: its way through the plugins.
        best_before: the best shot before it.
        recorded: answers of the log that are still to be handed in.
        given: answers so far.
    """

    frame: FrameJudgement
    chain: Chain
    best_before: Best
    recorded: list[Answer]
    given: list[Answer] = field(default_factory=list)


@dataclass
class JudgedSession:
    """State of one session; every method is a fold step without outside effect.

    Attributes:
        opened: the event that began it.
        policy: what its token states of the judgement.
        bases: what its frames were judged by, each once, that of the last frame last.
        context: what the plugins share.
        last_seq: number of the last frame folded in, or begun.
        judging: the frame that waits for an answer from outside.
        outcome: the final outcome, once there is one.
        wall: wall time of the last frame, for the token.
    """

    opened: Open
    plugins: list[Plugin]
    limits: LivenessSection
    policy: Policy = field(default_factory=Policy)
    bounds: LimitsSection = field(default_factory=LimitsSection)
    memory: FrameMemory | None = None
    bases: list[Basis] = field(default_factory=list)
    context: SessionContext = field(init=False)
    last_seq: int = 0
    judging: Judging | None = None
    outcome: Outcome | None = None
    wall: float = 0.0

    def __post_init__(self) -> None:
        self.context = SessionContext(
            session=self.opened.session,
            random=random.Random(self.opened.seed),  # noqa: S311  the seed itself is secret
            log=log,
            now=self.opened.at,
            client=of_client(self.opened.client),
            mirrored=self.opened.mirrored,
            replay=self.opened.replay,
        )
        self._broken = False
        self._copies = CopyCheck(self.opened.session, self.memory)
        self._attempts = Attempts(self.limits, self.bounds)
        for plugin in self.plugins:
            try:
                plugin.on_open(self.context)
            except Exception:
                self._tell_fault(plugin, 0)
                self._broken = True

    def fold(
        self,
        seq: int,
        at: float,
        estimate: Estimate,
        frame: bytes | None,
        *,
        replay: bool,
        shot: BestShot | None = None,
        answers: Sequence[Answer] = (),
        wall: float | None = None,
    ) -> Outcome | Question:
        """Judge one frame.

        A plugin that raises ends its session without success (code 71); other sessions never
        notice.

        Args:
            seq: number of the frame.
            at: its time in the session; every duration is the difference of two of these.
            estimate: its estimate.
            frame: what the client sent, where a plugin looks at it.
            replay: the frame was judged before, by an aggregator that is gone.
            shot: the judged pixels as JPEG, of a frame that passed; a replay may lack it.
            answers: what the outside answered then.
            wall: its time on the wall clock; None takes ``at``.

        Returns:
            The outcome, or a question whose answer ``resolve`` awaits.
        """
        self.last_seq = seq
        self.context.now = at
        self.wall = at if wall is None else wall
        self.context.replay = replay
        self._attempts.count(estimate)
        self._note_basis(estimate)
        picture = shot.image if shot is not None else frame
        judged = FrameJudgement(seq, estimate, picture, list(estimate.errors), shot)
        best = (self.context.best_seq, self.context.best, self.context.best_shot)
        self.judging = Judging(judged, self._ask_plugins(judged, best), best, list(answers))
        return self._advance(None)

    def resolve(self, answer: Answer) -> Outcome | Question:
        """Go on with the frame that waits, given the answer to its question (None for none)."""
        assert self.judging is not None
        self.judging.given.append(answer)
        return self._advance(answer)

    def close(self, at: float) -> Outcome:
        """End the session from outside; without a verdict so far it has failed (code 40).

        A frame that still waits for an answer is left undecided.
        """
        self.context.now = at
        if self.outcome is None:
            self.judging = None
            failed = Outcome((Code.SESSION_FAILED,), True, False, False, self.context.profile)
            self._end(failed)
            return failed
        return self.outcome

    def _note_basis(self, estimate: Estimate) -> None:
        """Note by what a frame was judged; one that no worker has judged says nothing."""
        basis = Basis.of(estimate)
        if basis == UNKNOWN and not estimate.ok:
            return
        if basis in self.bases:
            self.bases.remove(basis)
        self.bases.append(basis)

    def _advance(self, answer: Answer) -> Outcome | Question:
        judging = self.judging
        assert judging is not None
        try:
            question = judging.chain.send(answer)
            while judging.recorded or self.context.replay:
                recorded = judging.recorded.pop(0) if judging.recorded else None
                judging.given.append(recorded)
                question = judging.chain.send(recorded)
        except StopIteration:
            self.judging = None
            return self._conclude(judging)
        return question

    def _conclude(self, judging: Judging) -> Outcome:
        judged = judging.frame
        if not self._hold_to_json(judged):
            judged.refuse(Code.PLUGIN_FAILED, end=True)
        self._guard(judged)
        accepted = judged.ok and not judged.ended
        outcome = Outcome(
            errors=tuple(judged.errors),
            final=accepted or judged.ended or self._attempts.exhausted,
            accepted=accepted,
            keep=self.context.best_seq == judged.seq != judging.best_before[0],
            profile=self.context.profile,
            answers=tuple(judging.given),
        )
        if outcome.final:
            self._end(outcome)
        return outcome

    def _ask_plugins(self, judged: FrameJudgement, best_before: Best) -> Chain:
        """Ask each plugin in turn; the first that raises or ends the session is the last.

        A frame that one objects to is no best shot: the one before stands again.
        """
        if self._broken:
            judged.refuse(Code.PLUGIN_FAILED, end=True)
            return
        yield from self._copies.check(judged)
        if judged.withheld:
            self._tell_reuse(judged)
            return
        self._attempts.count_refusal(judged.estimate)
        if self._attempts.too_many_refusals:
            judged.refuse(Code.TOO_MANY_REFUSALS, end=True)
            return
        for plugin in self.plugins:
            known = [*judged.errors, Code.AGGREGATING]
            try:
                question = plugin.on_estimate(self.context, judged)
                if question is not None:
                    answer = yield question
                    plugin.on_answer(self.context, judged, answer)
            except Exception:
                self._tell_fault(plugin, judged.seq)
                judged.refuse(Code.PLUGIN_FAILED, end=True)
            objects = not plugin.gathers and any(code not in known for code in judged.errors)
            if objects and self.context.best_seq == judged.seq:
                self.context.best_seq, self.context.best, self.context.best_shot = best_before
            if judged.ended:
                return

    def _tell_reuse(self, judged: FrameJudgement) -> None:
        for plugin in self.plugins if judged.reused else ():
            try:
                plugin.on_reuse(self.context, judged)
            except Exception:
                self._tell_fault(plugin, judged.seq)
                judged.refuse(Code.PLUGIN_FAILED, end=True)

    def _hold_to_json(self, judged: FrameJudgement | None = None) -> bool:
        """Drop what no verdict can be written with; False where a plugin told such a thing."""
        codes = judged.errors if judged is not None else []
        told, kept = self.context.data, sound(self.context.data)
        numbers = [code for code in codes if isinstance(code, int)]
        if kept is told and len(numbers) == len(codes):
            return True
        names = set(told) - set(kept) if isinstance(told, dict) else set()
        fields = {"told": sorted(map(repr, names)), "session": self.opened.session}
        log.error("a plugin tells what is no JSON", extra={"fields": fields})
        self.context.data, codes[:] = kept, numbers
        return False

    def _tell_fault(self, plugin: Plugin, seq: int) -> None:
        name = f"{type(plugin).__module__}:{type(plugin).__qualname__}"
        fields = {"plugin": name, "session": self.opened.session, "seq": seq}
        log.exception("plugin %s failed", name, extra={"fields": fields})

    def _guard(self, judged: FrameJudgement) -> None:
        """Fail closed, whatever plugins are on: only a live, fully judged frame is accepted."""
        if not judged.ok:
            return
        if not judged.estimate.ok:
            judged.refuse(Code.PLUGIN_FAILED, end=True)  # a plugin has removed the worker's codes
        elif judged.estimate.profile is not Profile.PASSIVE:
            judged.refuse(Code.AGGREGATING)
        elif not self._alive(judged.estimate):
            judged.refuse(Code.LIVENESS_FAILED)
        elif self.context.best is None:
            self._take_as_best(judged)
        if judged.ok and not self._presentable():
            judged.refuse(Code.SESSION_FAILED, end=True)

    def _alive(self, estimate: Estimate) -> bool:
        """Tell whether a frame shows a live face; where nothing measures it, the acts must."""
        if estimate.liveness is not None:
            return True
        return self.context.acted and estimate.stage is Stage.AGS

    def _presentable(self) -> bool:
        """Tell whether the best shot may go into a token."""
        best = self.context.best
        return (
            best is not None
            and best.ok
            and self._alive(best)
            and self.context.best_shot is not None
            and self.context.best_shot.seq == self.context.best_seq
        )

    def _take_as_best(self, judged: FrameJudgement) -> None:
        """Without Bestshot the accepted frame itself is the one in the token."""
        self.context.best_seq = judged.seq
        self.context.best = judged.estimate
        self.context.best_shot = judged.shot

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        for plugin in self.plugins:
            try:
                plugin.on_close(self.context, accepted=outcome.accepted)
            except Exception:
                self._tell_fault(plugin, self.last_seq)
        self._hold_to_json()
