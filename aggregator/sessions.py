"""The life cycle of the aggregator's sessions: open, judge frames, resume, end.

Besides each session's state it stores the encoded events that led to it. A restarted gateway gets
them back with ``Resumed``; a restarted aggregator gets them from the gateway.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from aggregator import debug_lines
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
    Missing,
    Open,
    Opened,
    Resume,
    Resumed,
    Settled,
    encode,
)

log = logging.getLogger(__name__)


class JudgedSessions:
    """Opens, judges, resumes and ends sessions."""

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
        """Apply a new configuration to new sessions; running sessions keep their plugins."""
        self._config = config
        self._registry = registry
        self._writer = VerdictWriter(config, self._signer)

    def uses(self, registry: Registry) -> bool:
        """Return whether a session has plugins of a registry."""
        return any(entry.registry is registry for entry in self._entries.values())

    # Opening

    def open(self, peer: bytes, message: Open) -> None:
        """Create a session unless it exists, and confirm it."""
        entry = self._entries.get(message.session)
        if entry is None:
            with about(session=message.session):
                entry = self._create(message)
            self._entries[message.session] = entry
        opened, profile = entry.session.opened, entry.session.context.profile
        self._send(peer, Opened(opened.session, profile, opened.plugins))

    def _create(self, message: Open) -> Entry:
        registry = self._registry
        opened = replace(message, plugins=registry.digest)
        if message.replay and message.plugins not in ("", opened.plugins):
            log.warning("session replayed with different plugins; its verdict may differ")
        liveness, limits = self._config.LIVENESS, self._config.LIMITS
        session = JudgedSession(
            opened, registry.plugins(), liveness, registry.policy, limits, self._memory
        )
        debug_lines.session_opened(session.plugins)
        now = self._monotonic()
        started = now - message.elapsed
        return Entry(session, encode(opened), started, now, registry, settled=message.settled)

    # Frames

    def judge(self, peer: bytes, message: Judge) -> None:
        """Fold an estimate and send the answer."""
        entry = self._entries.get(message.session)
        if entry is None or entry.lacks(message.after):
            self._send(peer, Missing(message.session))
            return
        entry.touched = self._monotonic()
        if entry.pending is not None:
            return  # its answer will follow
        if message.seq <= entry.session.last_seq or entry.result is not None:
            if not message.replay:  # it is folded already, and its answer was lost on the way
                self._answer(peer, entry, entry.session.outcome or entry.last_outcome)
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
            prompted=message.prompted,
        )
        self._follow(entry, pending, step)

    def _follow(self, entry: Entry, pending: Pending, step: Outcome | Question) -> None:
        """Run a plugin's question, or conclude the frame with an outcome."""
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
        entry.judged.append(pending.record(outcome.answers))
        if outcome.keep and message.shot is not None:
            entry.best_shot = message.shot
        if Code.FRAME_UNDECODABLE not in pending.estimate.errors:
            entry.decoded_frames += 1
        if pending.estimate.pixels is not None:
            entry.pixels.append((message.seq, pending.estimate.pixels))
        entry.last_status = self._writer.status(
            message.seq, pending.estimate, outcome, entry.session.context.data
        )
        if outcome.final:
            entry.result = self._writer.result(entry.session, outcome)
        entry.last_outcome = outcome
        if outcome.accepted or message.replay:
            self._remember(entry, pending, outcome)
        if not message.replay:
            debug_lines.frame_judged(outcome.errors, final=outcome.final, accepted=outcome.accepted)
            if pending.peer is not None:
                self._answer(pending.peer, entry, outcome)
            for code in outcome.errors:
                self._accounts.count_code(code)
            if pending.estimate.liveness is not None:
                self._accounts.scores.observe(pending.estimate.liveness.score)
            self._judge_step.observe(self._monotonic() - pending.started)
        if self._effects:
            self._put(entry, entry.frame_event(pending, outcome))
            if outcome.final:
                self._put_end(entry, outcome)

    def _remember(self, entry: Entry, pending: Pending, outcome: Outcome) -> None:
        """Remember an accepted best shot, and in a replay the claims of the log."""
        if self._memory is None:
            return
        session, pixels = entry.session.opened.session, pending.estimate.pixels
        if pending.message.replay and pixels is not None:
            self._memory.recall(pixels, session, outcome.answers[:1])
        best = entry.session.context.best
        if outcome.accepted and best is not None and best.pixels is not None:
            self._memory.accept(best.pixels, session)

    def _answer(self, peer: bytes, entry: Entry, outcome: Outcome) -> None:
        judgement = Judgement(
            entry.session.opened.session,
            entry.session.last_seq,
            outcome.profile,
            entry.last_status,
            keep=outcome.keep,
            final=outcome.final,
            accepted=outcome.accepted,
            answers=outcome.answers,
            result=entry.result,
            low_liveness=Code.LOW_LIVENESS in outcome.errors,
            best_score=entry.best_score,
        )
        self._send(peer, judgement)

    # Restarted gateways

    def resume(self, peer: bytes, message: Resume) -> None:
        """Send a session to a gateway that has the digest of its token."""
        entry = self._entries.get(message.session)
        known = entry.session.opened.token_digest if entry else bytes(32)
        if not hmac.compare_digest(known, message.token_digest) or entry is None:
            self._send(peer, Resumed(message.session, message.token_digest))
        else:
            self._send_resumed(peer, entry)

    def hand_over(self, peer: bytes) -> None:
        """Send all sessions to a restarted gateway.

        It does not wait for the clients to come back: until then this process would have the only
        copy, and its death would lose the sessions.
        """
        for entry in self._entries.values():
            self._send_resumed(peer, entry)

    def _send_resumed(self, peer: bytes, entry: Entry) -> None:
        entry.touched = self._monotonic()
        self._resolve_unanswered(peer, entry)
        opened, profile = entry.session.opened, entry.session.context.profile
        key = opened.session, opened.token_digest
        elapsed = entry.time_of(entry.touched) - opened.at
        resumed = Resumed(*key, entry.history, profile, entry.settled, entry.result, elapsed)
        self._send(peer, resumed)

    def _resolve_unanswered(self, peer: bytes, entry: Entry) -> None:
        """Resolve an open question without an answer: the gateway that waits for it is dead."""
        while (pending := entry.pending) is not None:
            entry.drop_question()
            if pending.peer != peer:
                pending.peer = None
            self._follow(entry, pending, entry.session.resolve(None))

    # Ending

    def close(self, peer: bytes, message: Close) -> None:
        """End a session; without a verdict it fails."""
        entry = self._entries.get(message.session)
        if entry is None or entry.lacks(message.after):
            self._send(peer, Missing(message.session))
            return
        entry.touched = self._monotonic()
        entry.drop_question()
        undecided = entry.result is None
        with about(session=message.session):
            outcome = entry.session.close(message.at)
        entry.result = entry.result or self._writer.result(entry.session, outcome)
        profile, accepted = outcome.profile, outcome.accepted
        judgement = Judgement(
            message.session, 0, profile, "", final=True, accepted=accepted, result=entry.result
        )
        self._send(peer, judgement)
        if undecided:
            self._put_end(entry, outcome)

    def forget(self, message: Forget) -> None:
        """Drop a session without side effects: another machine ends it."""
        entry = self._entries.pop(message.session, None)
        if entry is not None:
            entry.drop_question()
            self._effects.forget(message.session)

    def sweep(self) -> None:
        """Drop sessions that can no longer be resumed."""
        now = self._monotonic()
        limits = self._config.LIMITS
        for session, entry in list(self._entries.items()):
            over = entry.result is not None and entry.uncommitted_end is None
            seconds = limits.resumeSeconds + (0.0 if over else limits.sessionSeconds)
            if now - entry.touched > seconds:
                del self._entries[session]
                self._abandon(entry)

    def _abandon(self, entry: Entry) -> None:
        """End a session that no gateway resumed; its errors must not affect other sessions."""
        with about(session=entry.session.opened.session):
            try:
                entry.drop_question()
                outcome = entry.session.close(entry.time_of(self._monotonic()))
                if entry.result is None:
                    entry.result = self._writer.result(entry.session, outcome)
                    self._put_end(entry, outcome)
            except Exception:
                log.exception("cannot end an abandoned session")
        if entry.result is None or entry.uncommitted_end is not None:  # its end is never put
            self._effects.forget(entry.session.opened.session)

    def drop_questions(self) -> None:
        """Cancel all open questions, when the process ends."""
        for entry in self._entries.values():
            entry.drop_question()

    # Side effects, after the answer

    def commit(self, message: Commit) -> None:
        """Run the side effects of a session's end after the gateway's commit. Idempotent."""
        entry = self._entries.get(message.session)
        if entry is not None and entry.uncommitted_end is not None:
            entry.touched = self._monotonic()
            ended, entry.uncommitted_end = entry.uncommitted_end, None
            self._put(entry, ended)

    def _put_end(self, entry: Entry, outcome: Outcome) -> None:
        """Put the event of a session's end; if the gateway commits verdicts, wait for ``Commit``.

        If another gateway took over, it is never committed, and ``Forget`` drops the event.
        """
        ended = entry.end_event(outcome)
        if entry.session.opened.commits:
            entry.uncommitted_end = ended
        else:
            self._put(entry, ended)

    def settle(self, settled: Settled) -> None:
        """Record up to which frame the side effects of sessions are done."""
        for session, mark in settled.marks:
            if (entry := self._entries.get(session)) is not None:
                entry.settled = mark

    def _put(self, entry: Entry, event: Event) -> None:
        """Put an event to the sinks, unless they had it before a restart."""
        if self._effects and event.seq > entry.settled:
            self._effects.put(event)
