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
from dataclasses import dataclass, field

import msgpack
import uvloop
import zmq

from aggregator.plugins import registry
from aggregator.session import Outcome, Session
from aggregator.verdict import VerdictWriter
from shared.accounts import Accounts
from shared.checks import Rules
from shared.config import Config
from shared.errors import MessageError
from shared.messages import (
    Close,
    GatewayHello,
    Judge,
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
from shared.process import Notifier, begin, die_with_parent
from shared.signing import Signer
from shared.transport import Channel, aggregator_address, bind

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0


@dataclass
class Entry:
    """A session's state together with the events it came from."""

    session: Session
    open_bytes: bytes
    estimates: list[tuple[int, float, bytes]] = field(default_factory=list)
    kept: tuple[int, bytes] | None = None
    result: bytes | None = None
    last_status: bytes = b""
    touched: float = field(default_factory=time.monotonic)


class Aggregator:
    """Judges sessions for one gateway at a time.

    Args:
        config: the configuration.
        parent: process id of the supervisor; the aggregator ends when that is gone.
    """

    def __init__(self, config: Config, *, parent: int | None = None) -> None:
        registry.check(config)
        self._config = config
        self._parent = parent
        self._rules = Rules.of(config)
        self._writer = VerdictWriter(config, Signer(config.LUNA_PASS.JWT))
        self._incarnation = uuid.uuid4().hex
        self._accounts = Accounts("aggregator")
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
        self._notifier.ready("judging")
        while not self._stopped.is_set() and not die_with_parent(self._parent):
            self._notifier.beat()
            self._sweep()
            try:
                await asyncio.wait_for(self._stopped.wait(), SWEEP_SECONDS)
            except TimeoutError:
                continue
        self._notifier.stopping()
        self._channel.close()

    def stop(self) -> None:
        """End; the gateway holds what the next aggregator needs."""
        self._stopped.set()

    def _receive(self, parts: list[bytes]) -> None:
        peer, *body = parts
        try:
            self._handle(peer, body)
        except (MessageError, IndexError) as error:
            log.error("unreadable message: %s", error)

    def _handle(self, peer: bytes, body: list[bytes]) -> None:
        message = decode(body[0])
        if isinstance(message, GatewayHello):
            self._send(peer, encode(Welcome(self._incarnation, os.getpid())))
            if self._accounts.due(time.monotonic()):
                self._send(peer, encode(self._accounts.message()))
            return
        if not isinstance(message, Open | Judge | Resume | Close):
            raise MessageError(f"{type(message).__name__} is not for the aggregator")
        if message.incarnation != self._incarnation:
            return  # meant for the aggregator before this one; the gateway will replay
        if isinstance(message, Open):
            self._open(peer, message, body[0])
        elif isinstance(message, Judge):
            self._judge(peer, message, body[1], body[2] if len(body) > 2 else None)
        elif isinstance(message, Resume):
            self._resume(peer, message)
        else:
            self._close(peer, message)

    def _send(self, peer: bytes, *parts: bytes) -> None:
        if not self._channel.send([peer, *parts]):
            log.error("the gateway cannot be reached; it will ask again")

    def _open(self, peer: bytes, message: Open, raw: bytes) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            plugins = registry.build(self._config, self._rules)
            entry = Entry(Session(message, plugins, self._config.LIVENESS), raw)
            self._entries[message.session] = entry
        self._send(peer, encode(Opened(message.session, entry.session.context.profile)))

    def _judge(self, peer: bytes, message: Judge, raw: bytes, frame: bytes | None) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            log.error("estimate of an unknown session", extra={"fields": {"seq": message.seq}})
            return
        began = entry.touched = time.monotonic()
        if message.seq <= entry.session.last_seq or entry.result is not None:
            self._repeat(peer, message.session, entry)
            return
        estimate = decode_estimate(raw)
        outcome = entry.session.fold(
            message.seq, message.at, estimate, frame, replay=message.replay
        )
        self._remember(entry, message, raw, frame, outcome)
        entry.last_status = self._writer.status(message.seq, estimate, outcome)
        if outcome.final:
            entry.result = self._writer.result(entry.session, outcome)
        if not message.replay:
            self._answer(peer, message.session, entry, outcome)
            self._accounts.codes.update(outcome.errors)
            self._accounts.note("judge", time.monotonic() - began)

    def _remember(
        self, entry: Entry, message: Judge, raw: bytes, frame: bytes | None, outcome: Outcome
    ) -> None:
        entry.estimates.append((message.seq, message.at, raw))
        if outcome.keep and frame is not None:
            entry.kept = (message.seq, frame)

    def _answer(self, peer: bytes, session: str, entry: Entry, outcome: Outcome) -> None:
        verdict = Verdict(
            session,
            entry.session.last_seq,
            outcome.profile,
            keep=outcome.keep,
            final=outcome.final,
            accepted=outcome.accepted,
        )
        parts = [encode(verdict), entry.last_status]
        if entry.result is not None:
            parts.append(entry.result)
        self._send(peer, *parts)

    def _repeat(self, peer: bytes, session: str, entry: Entry) -> None:
        """Answer an estimate that is already folded in: its answer was lost with a gateway."""
        outcome = entry.session.outcome or Outcome(
            (), final=False, accepted=False, keep=False, profile=entry.session.context.profile
        )
        self._answer(peer, session, entry, outcome)

    def _resume(self, peer: bytes, message: Resume) -> None:
        entry = self._entries.get(message.session)
        known = entry.session.opened.token_digest if entry else bytes(32)
        if not hmac.compare_digest(known, message.token_digest) or entry is None:
            self._send(peer, encode(Resumed(message.session, found=False)))
            return
        entry.touched = time.monotonic()
        seq, frame = entry.kept or (0, b"")
        log_bytes: bytes = msgpack.packb([entry.open_bytes, entry.estimates, seq, frame])
        final = entry.result is not None
        resumed = Resumed(message.session, True, entry.session.context.profile, final)
        self._send(peer, encode(resumed), log_bytes, entry.result or b"")

    def _close(self, peer: bytes, message: Close) -> None:
        entry = self._entries.get(message.session)
        if entry is None:
            return
        entry.touched = time.monotonic()
        outcome = entry.session.close(message.at)
        if entry.result is None:
            entry.result = self._writer.result(entry.session, outcome)
        verdict = Verdict(message.session, 0, outcome.profile, False, True, outcome.accepted)
        self._send(peer, encode(verdict), b"", entry.result)

    def _sweep(self) -> None:
        """Forget what can no longer be resumed."""
        now = time.monotonic()
        keep = self._config.LIMITS.resumeSeconds
        for session, entry in list(self._entries.items()):
            silent = now - entry.touched
            undecided = 0.0 if entry.result is not None else self._config.LIMITS.sessionSeconds
            if silent > undecided + keep:
                entry.session.close(time.time())
                del self._entries[session]


async def _serve(config: Config, parent: int | None) -> None:
    aggregator = Aggregator(config, parent=parent)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, aggregator.stop)
    await aggregator.run()


def run(config: Config, *, parent: int | None = None) -> None:
    """Run the aggregator until it is told to stop.

    Raises:
        StartupError: settings do not allow a start.
    """
    begin("aggregator", config)
    uvloop.run(_serve(config, parent))
