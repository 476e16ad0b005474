"""The aggregator process: messages of the gateway in, verdicts out.

It keeps, beside each session's state, the packed events that led to it. A gateway that lost its
memory gets them back with ``Resumed``; an aggregator that lost its own is fed by the gateway.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import signal
import time
import uuid
from collections import deque
from functools import partial

import uvloop
import zmq
from msgspec.structs import replace

from aggregator.effects import sinks
from aggregator.effects.delivery import Effects
from aggregator.effects.events import Event
from aggregator.entry import Entry, Pending
from aggregator.plugins.base import Question
from aggregator.plugins.registry import Registry
from aggregator.questions import answer_to
from aggregator.session import Outcome, Session
from aggregator.verdict import VerdictWriter
from shared.accounts import Accounts
from shared.cells import role_name
from shared.checks import Rules
from shared.codes import Code
from shared.config import Config
from shared.config_source import ConfigSource
from shared.errors import MessageError, StartupError
from shared.estimation import Estimate, Profile, Stage
from shared.messages import (
    Close,
    Forget,
    GatewayHello,
    History,
    Judge,
    Judged,
    Message,
    Open,
    Opened,
    Resume,
    Resumed,
    Verdict,
    Welcome,
    decode,
    decode_estimate,
    encode,
)
from shared.process import Notifier, begin, die_with_parent, settle
from shared.processors import keep_to, of_others
from shared.signing import Signer
from shared.transport import Channel, aggregator_address, bind

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
STATUS = "judging"
SETTLE_SECONDS = 0.1
HEALTH_SECONDS = 1.0
GATEWAYS_KNOWN = 16
_OF_SESSIONS = (Judge, Open, Resume, Close, Forget)


class Aggregator:
    """Judges sessions for one gateway at a time.

    Args:
        config: the configuration.
        source: where it comes from, to read it again; None never reloads.
        parent: process id of the supervisor; the aggregator ends when that is gone.
    """

    def __init__(
        self, config: Config, source: ConfigSource | None = None, *, parent: int | None = None
    ) -> None:
        self._config = config
        self._source = source
        self._parent = parent
        self._registry = Registry(config)
        self._retired: list[Registry] = []
        self._writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))
        built = sinks.build(config, Rules.of(config))
        self._effects = Effects(built, config.LIMITS.effectBytes)
        self._gateway = b""
        self._gateways: deque[str] = deque(maxlen=GATEWAYS_KNOWN)
        self._incarnation = uuid.uuid4().hex
        self._accounts = Accounts("aggregator")
        self._judge_step = self._accounts.step("judge")
        self._entries: dict[str, Entry] = {}
        self._stopped = asyncio.Event()
        self._notifier = Notifier()
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        bind(socket, aggregator_address(config))
        self._channel = Channel(socket, self._receive)

    async def run(self) -> None:
        """Work until stopped."""
        telling = asyncio.create_task(self._tell_settled())
        settle()
        self._notifier.ready(STATUS)
        while not self._stopped.is_set() and not die_with_parent(self._parent):
            self._notifier.beat()
            self._sweep()
            try:
                await asyncio.wait_for(self._stopped.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue
        self._notifier.stopping()
        telling.cancel()
        self._channel.close()
        for entry in self._entries.values():
            entry.drop_question()
        await asyncio.to_thread(self._effects.close)
        for registry in (*self._retired, self._registry):
            await registry.close()
        self._notifier.close()

    def stop(self) -> None:
        """End; the gateway holds what the next aggregator needs."""
        self._stopped.set()

    def reload(self) -> None:
        """Take new plugins and thresholds; sessions keep the plugins they began with."""
        self._notifier.reloading()
        fresh = self._source.again(self._config) if self._source else None
        try:
            if fresh is not None:
                renewed = Registry(fresh)
                if unchanged := sinks.changed(self._config, fresh):
                    log.warning("changed plugins that need a restart: %s", ", ".join(unchanged))
                self._retired.append(self._registry)  # running sessions keep their plugins
                self._registry, self._config = renewed, fresh
        except StartupError as error:
            log.error("configuration not reloaded: %s", error)
        self._notifier.ready(STATUS)

    def _receive(self, peer: bytes, data: bytes) -> None:
        try:
            self._handle(peer, data)
        except MessageError as error:
            log.error("unreadable message: %s", error)

    def _handle(self, peer: bytes, data: bytes) -> None:
        message = decode(data)
        if isinstance(message, GatewayHello):
            self._gateway = peer
            self._send(peer, Welcome(self._incarnation, os.getpid()))
            if message.gateway not in self._gateways:
                self._gateways.append(message.gateway)
                self._hand_over(peer)
            if self._accounts.due(time.monotonic()):
                self._send(peer, self._accounts.message())
            return
        if not isinstance(message, _OF_SESSIONS):
            raise MessageError(f"{type(message).__name__} is not for the aggregator")
        if message.incarnation != self._incarnation:
            return  # meant for the aggregator before this one; the gateway will replay
        if isinstance(message, Judge):
            self._judge(peer, message)
        elif isinstance(message, Open):
            self._open(peer, message)
        elif isinstance(message, Resume):
            self._resume(peer, message)
        elif isinstance(message, Forget):
            self._let_go(message)
        else:
            self._close(peer, message)

    def _send(self, peer: bytes, message: Message) -> None:
        if not self._channel.send(encode(message), peer):
            log.error("the gateway cannot be reached; it will ask again")

    def _open(self, peer: bytes, message: Open) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            entry = self._begin(message)
            self._entries[message.session] = entry
        opened, profile = entry.session.opened, entry.session.context.profile
        self._send(peer, Opened(opened.session, profile, opened.plugins))

    def _begin(self, message: Open) -> Entry:
        opened = replace(message, plugins=self._registry.digest)
        if message.replay and message.plugins not in ("", opened.plugins):
            fields = {"session": message.session}
            log.warning("session judged again by other plugins", extra={"fields": fields})
        session = Session(opened, self._registry.plugins(), self._config.LIVENESS)
        return Entry(session, encode(opened), settled=message.settled)

    def _judge(self, peer: bytes, message: Judge) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            told = {"session": message.session, "seq": message.seq}
            log.error("estimate of an unknown session", extra={"fields": told})
            return
        entry.touched = time.monotonic()
        if entry.pending is not None:
            return  # its answer is under way
        if message.seq <= entry.session.last_seq or entry.result is not None:
            self._repeat(peer, message.session, entry)
            return
        pending = Pending(peer, message, _estimate_of(message.estimate))
        step = entry.session.fold(
            message.seq,
            message.at,
            pending.estimate,
            message.frame,
            replay=message.replay,
            answers=message.answers,
        )
        self._follow(entry, pending, step)

    def _follow(self, entry: Entry, pending: Pending, step: Outcome | Question) -> None:
        """Ask the outside where a plugin does; settle the frame where there is an outcome."""
        if isinstance(step, Outcome):
            entry.pending = None
            self._settle(entry, pending, step)
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

    def _settle(self, entry: Entry, pending: Pending, outcome: Outcome) -> None:
        message = pending.message
        judged = Judged(message.seq, message.at, message.estimate, outcome.answers)
        entry.judged.append(judged)
        if outcome.keep and message.frame is not None:
            entry.kept = (message.seq, message.frame)
        entry.pictures += Code.FRAME_UNDECODABLE not in pending.estimate.errors
        entry.last_status = self._writer.status(
            message.seq, pending.estimate, outcome, entry.session.context.data
        )
        if outcome.final:
            entry.result = self._writer.result(entry.session, outcome)
        if not message.replay:
            self._answer(pending.peer, message.session, entry, outcome)
            for code in outcome.errors:
                self._accounts.codes[code] += 1
            self._judge_step.note(time.monotonic() - pending.began)
        if self._effects:
            self._effect(entry, entry.frame_event(pending, outcome))
            if outcome.final:
                self._effect(entry, entry.end_event(outcome))

    def _answer(self, peer: bytes, session: str, entry: Entry, outcome: Outcome) -> None:
        verdict = Verdict(
            session,
            entry.session.last_seq,
            outcome.profile,
            entry.last_status,
            keep=outcome.keep,
            final=outcome.final,
            accepted=outcome.accepted,
            answers=outcome.answers,
            result=entry.result,
        )
        self._send(peer, verdict)

    def _repeat(self, peer: bytes, session: str, entry: Entry) -> None:
        """Answer an estimate that is already folded in: its verdict was lost on the way."""
        self._answer(peer, session, entry, entry.session.outcome or _last_outcome(entry))

    def _resume(self, peer: bytes, message: Resume) -> None:
        entry = self._entries.get(message.session)
        known = entry.session.opened.token_digest if entry else bytes(32)
        if not hmac.compare_digest(known, message.token_digest) or entry is None:
            self._send(peer, Resumed(message.session, message.token_digest))
            return
        self._give_back(peer, entry)

    def _hand_over(self, peer: bytes) -> None:
        """Give every session to a gateway that has just begun.

        At once, rather than when its client comes back: until then this process alone would hold
        it, and a death of this one too would lose it.
        """
        for entry in self._entries.values():
            self._give_back(peer, entry)

    def _give_back(self, peer: bytes, entry: Entry) -> None:
        entry.touched = time.monotonic()
        self._give_up_question(entry)
        seq, frame = entry.kept or (0, b"")
        history = History(entry.open_bytes, entry.judged, seq, frame)
        opened, profile = entry.session.opened, entry.session.context.profile
        self._send(
            peer,
            Resumed(
                opened.session,
                opened.token_digest,
                history,
                profile,
                entry.settled,
                entry.result,
            ),
        )

    def _give_up_question(self, entry: Entry) -> None:
        """Take an open question for unanswered: the gateway that waited for it is gone."""
        while (pending := entry.pending) is not None:
            entry.drop_question()
            self._follow(entry, pending, entry.session.resolve(None))

    def _close(self, peer: bytes, message: Close) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            return
        entry.touched = time.monotonic()
        entry.drop_question()
        undecided = entry.result is None
        outcome = entry.session.close(message.at)
        entry.result = entry.result or self._writer.result(entry.session, outcome)
        verdict = Verdict(
            message.session,
            0,
            outcome.profile,
            "",
            final=True,
            accepted=outcome.accepted,
            result=entry.result,
        )
        self._send(peer, verdict)
        if undecided:
            self._effect(entry, entry.end_event(outcome))

    def _let_go(self, message: Forget) -> None:
        """Drop a session without any effect of its end, which belongs to another machine."""
        entry = self._entries.pop(message.session, None)
        if entry is not None:
            entry.drop_question()
            self._effects.forget(message.session)

    def _sweep(self) -> None:
        """Forget what can no longer be resumed."""
        now = time.monotonic()
        keep = self._config.LIMITS.resumeSeconds
        for session, entry in list(self._entries.items()):
            silent = now - entry.touched
            undecided = 0.0 if entry.result is not None else self._config.LIMITS.sessionSeconds
            if silent > undecided + keep:
                del self._entries[session]
                self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        """End a session to which no gateway came back; a fault in it must not end the others."""
        try:
            entry.drop_question()
            self._end_abandoned(entry)
        except Exception:
            fields = {"session": entry.session.opened.session}
            log.exception("abandoned session not ended", extra={"fields": fields})

    def _end_abandoned(self, entry: Entry) -> None:
        outcome = entry.session.close(time.time())
        if entry.result is None:
            entry.result = self._writer.result(entry.session, outcome)
            self._effect(entry, entry.end_event(outcome))

    # Side effects, after the answer

    def _effect(self, entry: Entry, event: Event) -> None:
        """Hand an event to the side-effect plugins, unless they had it before a restart."""
        if self._effects and event.seq > entry.settled:
            self._effects.put(event)

    async def _tell_settled(self) -> None:
        """Tell the gateway what is settled, and once a second how the plugins fare."""
        told = 0.0
        while self._effects:
            await asyncio.sleep(SETTLE_SECONDS)
            settled = self._effects.settled()
            if not settled.marks and time.monotonic() - told < HEALTH_SECONDS:
                continue
            told = time.monotonic()
            for session, mark in settled.marks:
                if (entry := self._entries.get(session)) is not None:
                    entry.settled = mark
            if self._gateway:
                self._channel.send(encode(settled), self._gateway)


def _last_outcome(entry: Entry) -> Outcome:
    """What the last frame of an undecided session led to, as far as the gateway needs it."""
    return Outcome(
        errors=(),
        final=False,
        accepted=False,
        keep=entry.kept is not None and entry.kept[0] == entry.session.last_seq,
        profile=entry.session.context.profile,
        answers=entry.judged[-1].answers if entry.judged else (),
    )


def _estimate_of(raw: bytes) -> Estimate:
    """Unpack an estimate; what a worker at fault made of it counts as a frame not judged."""
    try:
        return decode_estimate(raw)
    except MessageError as error:
        log.error("unreadable estimate: %s", error)
        return Estimate(0, 0, Profile.PASSIVE, Stage.FACES, (Code.ESTIMATION_FAILED,))


async def _serve(config: Config, source: ConfigSource, parent: int | None) -> None:
    aggregator = Aggregator(config, source, parent=parent)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, aggregator.stop)
    loop.add_signal_handler(signal.SIGHUP, aggregator.reload)
    await aggregator.run()


def run(config: Config, source: ConfigSource, *, parent: int | None = None) -> None:
    """Run the aggregator until it is told to stop.

    Raises:
        StartupError: settings do not allow a start.
    """
    begin(role_name(config, "aggregator"), config)
    keep_to(of_others(config))
    uvloop.run(_serve(config, source, parent))
