"""The sessions of this aggregator: opened, judged frame by frame, given back, ended.

It keeps, beside each session's state, the packed events that led to it. A gateway that lost its
memory gets them back with ``Resumed``; an aggregator that lost its own is fed by the gateway.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from aggregator.entry import Entry, Pending
from aggregator.frame_memory import FrameMemory
from aggregator.plugins.base import Question
from aggregator.plugins.registry import Registry
from aggregator.questions import answer_to, at_once
from aggregator.session import JudgedSession, Outcome
from aggregator.sinks.delivery import Effects
from aggregator.sinks.events import Event
from aggregator.verdict import VerdictWriter
from shared.codes import Code
from shared.config.service import Config
from shared.process.accounts import Accounts
from shared.process.clock import SYSTEM, Clock
from shared.process.process import about
from shared.signing import Signer
from shared.wire.messages import (
    Close,
    Commit,
    Forget,
    Judge,
    Judgement,
    Message,
    Open,
    Opened,
    Resume,
    Resumed,
    Settled,
    encode,
)
from shared.wire.records import Judged

log = logging.getLogger(__name__)


class JudgedSessions:
    """Registry and life cycle of sessions.

    Args:
        config: the configuration.
        registry: the plugins.
        effects: takes the side effects, after the answer.
        accounts: counts what is judged.
        send: says a message to a gateway.
        memory: frames of all sessions; None where it is turned off.
        clock: measures how old sessions are and how long they are silent.
    """

    def __init__(
        self,
        config: Config,
        registry: Registry,
        effects: Effects,
        accounts: Accounts,
        send: Callable[[bytes, Message], None],
        memory: FrameMemory | None = None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._monotonic = clock.monotonic
        self._signer = Signer(config.LUNA_PASS.JWT)
        self.renew(config, registry)
        self._effects = effects
        self._accounts = accounts
        self._judge_step = accounts.step("judge")
        self._send = send
        self._memory = memory
        self._entries: dict[str, Entry] = {}

    def renew(self, config: Config, registry: Registry) -> None:
        """Begin sessions by other settings; those that run keep the plugins they began with."""
        self._config = config
        self._registry = registry
        self._writer = VerdictWriter(config, self._signer)

    # Beginning

    def open(self, peer: bytes, message: Open) -> None:
        """Begin a session, unless that was done before, and say that it is known."""
        entry = self._entries.get(message.session)
        if entry is None:
            with about(session=message.session):
                entry = self._begin(message)
            self._entries[message.session] = entry
        opened, profile = entry.session.opened, entry.session.context.profile
        self._send(peer, Opened(opened.session, profile, opened.plugins))

    def _begin(self, message: Open) -> Entry:
        registry = self._registry
        opened = replace(message, plugins=registry.digest)
        if message.replay and message.plugins not in ("", opened.plugins):
            log.warning("session judged again by other plugins")
        config = self._config
        session = JudgedSession(
            opened,
            registry.plugins(),
            config.LIVENESS,
            registry.policy,
            config.LIMITS,
            self._memory,
        )
        now = self._monotonic()
        return Entry(session, encode(opened), now - message.elapsed, now, settled=message.settled)

    # Frames

    def judge(self, peer: bytes, message: Judge) -> None:
        """Fold an estimate in and answer with the verdict."""
        entry = self._entries.get(message.session)
        if entry is None:
            fields = {"session": message.session, "seq": message.seq}
            log.error("estimate of an unknown session", extra={"fields": fields})
            return
        entry.touched = self._monotonic()
        if entry.pending is not None:
            return  # its answer is under way
        if message.seq <= entry.session.last_seq or entry.result is not None:
            self._repeat(peer, message.session, entry)
            return
        with about(session=message.session, seq=message.seq):
            self._judge(peer, message, entry)

    def _judge(self, peer: bytes, message: Judge, entry: Entry) -> None:
        pending = Pending.of(peer, message, self._monotonic())
        step = entry.session.fold(
            message.seq,
            message.at,
            pending.estimate,
            message.received,
            replay=message.replay,
            shot=message.shot,
            answers=message.answers,
            wall=message.wall,
        )
        self._follow(entry, pending, step)

    def _follow(self, entry: Entry, pending: Pending, step: Outcome | Question) -> None:
        """Ask the outside where a plugin does; conclude the frame where there is an outcome."""
        while isinstance(step, Question) and (answer := at_once(step)) is not None:
            step = entry.session.resolve(answer)
        if isinstance(step, Outcome):
            entry.pending = None
            self._conclude(entry, pending, step)
            return
        entry.pending = pending
        pending.question = asyncio.create_task(answer_to(step))
        pending.question.add_done_callback(partial(self._answered, entry, pending))

    def _answered(
        self, entry: Entry, pending: Pending, question: asyncio.Task[bytes | None]
    ) -> None:
        if entry.pending is pending:
            answer = None if question.cancelled() else question.result()
            self._follow(entry, pending, entry.session.resolve(answer))

    def _conclude(self, entry: Entry, pending: Pending, outcome: Outcome) -> None:
        message = pending.message
        judged = Judged(message.seq, message.at, message.estimate, outcome.answers, message.wall)
        entry.judged.append(judged)
        if outcome.keep and message.shot is not None:
            entry.kept = message.shot
        entry.pictures += Code.FRAME_UNDECODABLE not in pending.estimate.errors
        entry.last_status = self._writer.status(
            message.seq, pending.estimate, outcome, entry.session.context.data
        )
        if outcome.final:
            entry.result = self._writer.result(entry.session, outcome)
        self._remember(entry, pending, outcome)
        if not message.replay:
            self._answer(pending.peer, message.session, entry, outcome)
            for code in outcome.errors:
                self._accounts.codes[code] += 1
            self._judge_step.observe(self._monotonic() - pending.began)
        if self._effects:
            self._effect(entry, entry.frame_event(pending, outcome))
            if outcome.final:
                self._announce(entry, outcome)

    def _remember(self, entry: Entry, pending: Pending, outcome: Outcome) -> None:
        """Remember an accepted best shot, and after a restart what was claimed before it."""
        if self._memory is None:
            return
        session, pixels = entry.session.opened.session, pending.estimate.pixels
        if pending.message.replay and pixels is not None:
            self._memory.recall(pixels, session, outcome.answers[:1])
        best = entry.session.context.best
        if outcome.accepted and best is not None and best.pixels is not None:
            self._memory.accept(best.pixels, session)

    def _answer(self, peer: bytes, session: str, entry: Entry, outcome: Outcome) -> None:
        verdict = Judgement(
            session,
            entry.session.last_seq,
            outcome.profile,
            entry.last_status,
            keep=outcome.keep,
            final=outcome.final,
            accepted=outcome.accepted,
            answers=outcome.answers,
            result=entry.result,
            low_liveness=Code.LOW_LIVENESS in outcome.errors,
        )
        self._send(peer, verdict)

    def _repeat(self, peer: bytes, session: str, entry: Entry) -> None:
        """Answer an estimate that is already folded in: its verdict was lost on the way."""
        self._answer(peer, session, entry, entry.session.outcome or entry.last_outcome)

    # Gateways that come anew

    def resume(self, peer: bytes, message: Resume) -> None:
        """Give a session back, to whom its token's digest is known."""
        entry = self._entries.get(message.session)
        known = entry.session.opened.token_digest if entry else bytes(32)
        if not hmac.compare_digest(known, message.token_digest) or entry is None:
            self._send(peer, Resumed(message.session, message.token_digest))
            return
        self._give_back(peer, entry)

    def hand_over(self, peer: bytes) -> None:
        """Give every session to a gateway that has just begun.

        At once, rather than when its client comes back: until then this process alone would hold
        it, and a death of this one too would lose it.
        """
        for entry in self._entries.values():
            self._give_back(peer, entry)

    def _give_back(self, peer: bytes, entry: Entry) -> None:
        entry.touched = self._monotonic()
        self._give_up_question(entry)
        opened, profile = entry.session.opened, entry.session.context.profile
        key = opened.session, opened.token_digest
        elapsed = entry.time_of(entry.touched) - opened.at
        self._send(
            peer, Resumed(*key, entry.history, profile, entry.settled, entry.result, elapsed)
        )

    def _give_up_question(self, entry: Entry) -> None:
        """Take an open question for unanswered: the gateway that waited for it is gone."""
        while (pending := entry.pending) is not None:
            entry.drop_question()
            self._follow(entry, pending, entry.session.resolve(None))

    # Ending

    def close(self, peer: bytes, message: Close) -> None:
        """End a session from outside; without a verdict so far it has failed."""
        entry = self._entries.get(message.session)
        if entry is None:
            return
        entry.touched = self._monotonic()
        entry.drop_question()
        undecided = entry.result is None
        with about(session=message.session):
            outcome = entry.session.close(message.at)
        entry.result = entry.result or self._writer.result(entry.session, outcome)
        profile, accepted = outcome.profile, outcome.accepted
        verdict = Judgement(
            message.session, 0, profile, "", final=True, accepted=accepted, result=entry.result
        )
        self._send(peer, verdict)
        if undecided:
            self._announce(entry, outcome)

    def forget(self, message: Forget) -> None:
        """Drop a session without any effect of its end, which belongs to another machine."""
        entry = self._entries.pop(message.session, None)
        if entry is not None:
            entry.drop_question()
            self._effects.forget(message.session)

    def sweep(self) -> None:
        """Forget what can no longer be resumed."""
        now = self._monotonic()
        keep = self._config.LIMITS.resumeSeconds
        for session, entry in list(self._entries.items()):
            silent = now - entry.touched
            over = entry.result is not None and entry.unannounced is None
            if silent > keep + (0.0 if over else self._config.LIMITS.sessionSeconds):
                del self._entries[session]
                self._abandon(entry)

    def _abandon(self, entry: Entry) -> None:
        """End a session to which no gateway came back; a fault in it must not end the others."""
        with about(session=entry.session.opened.session):
            try:
                entry.drop_question()
                self._end_abandoned(entry)
            except Exception:
                log.exception("abandoned session not ended")

    def _end_abandoned(self, entry: Entry) -> None:
        outcome = entry.session.close(entry.time_of(self._monotonic()))
        if entry.result is None:
            entry.result = self._writer.result(entry.session, outcome)
            self._announce(entry, outcome)

    def drop_questions(self) -> None:
        """Wait for no answer from outside any more: the process ends."""
        for entry in self._entries.values():
            entry.drop_question()

    # Side effects, after the answer

    def commit(self, message: Commit) -> None:
        """Announce the end of a session whose verdict is released; again changes nothing."""
        entry = self._entries.get(message.session)
        if entry is not None and entry.unannounced is not None:
            entry.touched = self._monotonic()
            ended, entry.unannounced = entry.unannounced, None
            self._effect(entry, ended)

    def _announce(self, entry: Entry, outcome: Outcome) -> None:
        """Hand out a session's end; where a gateway commits verdicts, not before it does.

        Another gateway may have taken the session over. Then this verdict is never released, and
        ``Forget`` drops its announcement.
        """
        ended = entry.end_event(outcome)
        if entry.session.opened.commits:
            entry.unannounced = ended
        else:
            self._effect(entry, ended)

    def settle(self, settled: Settled) -> None:
        """Note up to where the side effects of sessions are done."""
        for session, mark in settled.marks:
            if (entry := self._entries.get(session)) is not None:
                entry.settled = mark

    def _effect(self, entry: Entry, event: Event) -> None:
        """Hand an event to the side-effect plugins, unless they had it before a restart."""
        if self._effects and event.seq > entry.settled:
            self._effects.put(event)
