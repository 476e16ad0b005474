"""A session in the aggregator: a pure fold of its events into a verdict.

A frame passes through the plugins in a generator, which yields the plugins' questions. The caller
gets the question and later passes the answer in; a replay uses the answers of the log, so nothing
is asked twice.
"""

import logging
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aggregator import debug_lines
from aggregator.attempts import Attempts
from aggregator.copies import CopyCheck
from aggregator.frame_memory import FrameMemory
from aggregator.json_data import json_only, parse_object
from aggregator.plugins.base import FrameJudgement, Plugin, Question, SessionContext
from aggregator.policy import Basis, Policy, record_basis
from shared.codes import Code
from shared.config.luna_pass import LivenessSection
from shared.config.service import LimitsSection
from shared.errors import PluginError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Open

log = logging.getLogger(__name__)

MAX_CODE = 65_535
"""Highest code of a plugin; the messages of statistics hold no negative ones."""

Answer = bytes | None
Chain = Generator[Question, Answer, None]
Best = tuple[int, Estimate | None, BestShot | None]


class Outcome(NamedTuple):
    """The result of one event.

    Attributes:
        errors: codes for the client; empty means the frame is accepted.
        final: the session is decided.
        accepted: the session is accepted; implies ``final``.
        keep: this frame is the new best shot.
        profile: checks to run on the next frame.
    """

    errors: tuple[int, ...]
    final: bool
    accepted: bool
    keep: bool
    profile: Profile
    answers: tuple[Answer, ...] = ()


@dataclass
class Judging:
    """A frame that is being judged, with the answers of the log that are not used yet."""

    frame: FrameJudgement
    chain: Chain
    best_before: Best
    recorded: list[Answer]
    given: list[Answer] = field(default_factory=list)


@dataclass
class JudgedSession:
    """State of one session; every method is a fold step without side effects.

    Attributes:
        bases: the different bases of its frames, that of the last frame last.
        last_seq: number of the last frame, judged or in progress.
        judging: the frame that waits for an answer.
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
            client=parse_object(self.opened.client),
            mirrored=self.opened.mirrored,
            replay=self.opened.replay,
        )
        self._broken = self._withheld = False
        self._copies = CopyCheck(self.opened.session, self.memory)
        self._attempts = Attempts(self.limits, self.bounds)
        for plugin in self.plugins:
            try:
                plugin.on_open(self.context)
            except Exception:
                self._log_failure(plugin, 0)
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
        prompted: float | None = None,
    ) -> Outcome | Question:
        """Judge one frame.

        A plugin that raises ends its session as refused (code 71); other sessions are unaffected.
        ``at`` and ``prompted``, when the answer to the frame before was sent, are session times;
        all durations are differences of these. ``wall`` is the frame's wall time; None takes
        ``at``. ``frame`` has the bytes that the client sent, if a plugin uses them, and ``shot``
        the judged pixels if the frame passed; a replay may lack both, and has the ``answers`` of
        the log.

        Returns:
            The outcome, or a question; pass its answer to ``resolve``.
        """
        self.last_seq = seq
        self.context.now = at
        if not self._withheld:  # else the plugins have not seen the frame before
            self.context.prompted = prompted
        self.wall = at if wall is None else wall
        self.context.replay = replay
        self._attempts.count(estimate)
        record_basis(self.bases, estimate)
        image = shot.image if shot is not None else frame
        judged = FrameJudgement(seq, estimate, image, list(estimate.errors), shot)
        best = (self.context.best_seq, self.context.best, self.context.best_shot)
        self.judging = Judging(judged, self._ask_plugins(judged, best), best, list(answers))
        return self._advance(None)

    def resolve(self, answer: Answer) -> Outcome | Question:
        """Continue with the waiting frame, given the answer to its question, or None."""
        assert self.judging is not None
        self.judging.given.append(answer)
        return self._advance(answer)

    def close(self, at: float) -> Outcome:
        """End the session; without a verdict it fails (code 40).

        A frame that waits for an answer stays undecided.
        """
        self.context.now = at
        if self.outcome is None:
            self.judging = None
            failed = Outcome((Code.SESSION_FAILED,), True, False, False, self.context.profile)
            self._end(failed)
            return failed
        return self.outcome

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
        self._withheld = judged.withheld
        if not self._drop_invalid_json(judged):
            judged.refuse(Code.PLUGIN_FAILED, end=True)
        self._fail_closed(judged)
        accepted = not (judged.errors or judged.ended)
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
        """Run the plugins in order, until one raises or ends the session.

        If a plugin refuses the frame, the previous best shot is restored.
        """
        if self._broken:
            judged.refuse(Code.PLUGIN_FAILED, end=True)
            return
        yield from self._copies.check(judged)
        if judged.withheld:
            self._report_reuse(judged)
            return
        if self._attempts.count_refusal(judged.estimate):
            judged.refuse(Code.TOO_MANY_REFUSALS, end=True)
            return
        for plugin in self.plugins:
            before = judged.errors.copy()
            try:
                question = plugin.on_estimate(self.context, judged)
                if question is not None:
                    answer = yield question._replace(asker=_name(plugin))
                    plugin.on_answer(self.context, judged, answer)
                if judged.errors != before:
                    _require_codes(judged, before)
            except Exception:
                self._log_failure(plugin, judged.seq)
                judged.refuse(Code.PLUGIN_FAILED, end=True)
            if judged.errors != before:
                debug_lines.codes_changed(plugin, before, judged.errors)
                if not plugin.gathers and self._is_refused_since(judged, before):
                    self.context.best_seq, self.context.best, self.context.best_shot = best_before
            if judged.ended:
                return

    def _is_refused_since(self, judged: FrameJudgement, before: list[int]) -> bool:
        """Return whether the best shot got codes that refuse it."""
        known = [*before, Code.AGGREGATING]
        return self.context.best_seq == judged.seq and any(c not in known for c in judged.errors)

    def _report_reuse(self, judged: FrameJudgement) -> None:
        before, ended = judged.errors.copy(), judged.ended
        for plugin in self.plugins if judged.reused else ():
            try:
                plugin.on_reuse(self.context, judged)
                _require_codes(judged, before)
            except Exception:
                self._log_failure(plugin, judged.seq)
                judged.refuse(Code.PLUGIN_FAILED, end=True)
        judged.ended = judged.ended or ended  # a plugin may not continue the session

    def _drop_invalid_json(self, judged: FrameJudgement | None = None) -> bool:
        """Drop plugins' data that is not JSON and invalid codes; return False if there were any."""
        codes = judged.errors if judged is not None else []
        data, valid = self.context.data, json_only(self.context.data)
        allowed = [code for code in codes if isinstance(code, int) and 0 < code <= MAX_CODE]
        if valid is data and len(allowed) == len(codes):
            return True
        names = set(data) - set(valid) if isinstance(data, dict) else set()
        fields = {"entries": sorted(map(repr, names)), "session": self.opened.session}
        log.error("a plugin returned invalid data or codes", extra={"fields": fields})
        self.context.data, codes[:] = valid, allowed
        return False

    def _log_failure(self, plugin: Plugin, seq: int) -> None:
        name = _name(plugin)
        fields = {"plugin": name, "session": self.opened.session, "seq": seq}
        log.exception("plugin %s failed", name, extra={"fields": fields})

    def _fail_closed(self, judged: FrameJudgement) -> None:
        """Accept only a live, fully judged frame, whatever plugins are on."""
        if judged.errors:
            return
        if judged.ended or judged.withheld or not judged.estimate.ok:
            # A plugin ended the session without a code, or removed codes.
            judged.refuse(Code.PLUGIN_FAILED, end=True)
        elif judged.estimate.profile is not Profile.PASSIVE:
            judged.refuse(Code.AGGREGATING)
        elif not self._is_live(judged.estimate):
            judged.refuse(Code.LIVENESS_FAILED)
        elif self.context.best is None:
            self._make_best_shot(judged)
        if judged.ok and not self._is_best_shot_valid():
            judged.refuse(Code.SESSION_FAILED, end=True)

    def _is_live(self, estimate: Estimate) -> bool:
        """Return whether liveness was measured; without a good model for it, also require actions.

        A worker with a weak model starts only if ActiveLiveness is on. But a reload may turn that
        off in the aggregator, while the worker refuses it and keeps its estimator.
        """
        if estimate.liveness is None:
            return self.context.acted and estimate.stage is Stage.AGS
        return self.context.acted or not estimate.needs_actions

    def _is_best_shot_valid(self) -> bool:
        """Return whether the best shot may go into a token."""
        best = self.context.best
        return (
            best is not None
            and best.ok
            and self._is_live(best)
            and self.context.best_shot is not None
            and self.context.best_shot.seq == self.context.best_seq
        )

    def _make_best_shot(self, judged: FrameJudgement) -> None:
        """Make the accepted frame the best shot, as is needed without Bestshot."""
        self.context.best_seq = judged.seq
        self.context.best = judged.estimate
        self.context.best_shot = judged.shot

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        for plugin in self.plugins:
            try:
                plugin.on_close(self.context, accepted=outcome.accepted)
            except Exception:
                self._log_failure(plugin, self.last_seq)
        self._drop_invalid_json()


def _name(plugin: Plugin) -> str:
    return f"{type(plugin).__module__}:{type(plugin).__qualname__}"


def _require_codes(judged: FrameJudgement, before: list[int]) -> None:
    """Raise PluginError if a plugin removed a code that the frame had before."""
    if any(code not in judged.errors for code in before):
        raise PluginError(f"removed codes of others: found {judged.errors}, had {before}")
