"""The aggregator process: its socket, its configuration and its shutdown."""

import asyncio
import logging
import os
import uuid
from collections import deque

import uvloop
import zmq

from aggregator.frame_memories import frame_memory
from aggregator.plugins.registry import Registry
from aggregator.sessions import JudgedSessions
from aggregator.sinks import registry as sinks
from aggregator.sinks.delivery import Effects
from shared.config.cells import role_name
from shared.config.handover import PartSource
from shared.config.parts import Part
from shared.config.service import Config
from shared.errors import MessageError
from shared.frame.checks import Rules
from shared.process.accounts import Accounts
from shared.process.clock import SYSTEM, Clock
from shared.process.role import Role, handle_signals, set_up_process
from shared.wire.lines import AGGREGATOR
from shared.wire.messages import (
    Close,
    Commit,
    Forget,
    GatewayHello,
    Judge,
    Message,
    Open,
    Resume,
    Welcome,
    decode,
    encode,
)
from shared.wire.transport import serve

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
SETTLE_SECONDS = 0.1
HEALTH_SECONDS = 1.0
GATEWAYS_KNOWN = 16
_SESSION_MESSAGES = (Judge, Open, Resume, Close, Commit, Forget)


class Aggregator:
    """Judges sessions for one gateway at a time.

    Args:
        source: where a reload gets the configuration; None never reloads.
        parent: process id of the supervisor; the aggregator exits when that process exits.
    """

    def __init__(
        self,
        config: Config,
        source: PartSource | None = None,
        *,
        parent: int | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._config = config
        self._role = Role(source, parent=parent, clock=clock)
        self._registry = Registry(config)
        self._retired: list[Registry] = []
        built = sinks.build(config, Rules.of(config), clock=clock)
        self._effects = Effects(built, config.LIMITS.effectBytes, clock=clock)
        self._gateway = b""
        self._gateways: deque[str] = deque(maxlen=GATEWAYS_KNOWN)
        self._incarnation = uuid.uuid4().hex
        self._accounts = Accounts("aggregator")
        self._memory = frame_memory(config, clock=clock)
        self._sessions = JudgedSessions(
            config,
            self._registry,
            self._effects,
            self._accounts,
            self._send,
            self._memory,
            clock=clock,
        )
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        self._channel = serve(socket, config, AGGREGATOR, self._receive)

    async def run(self) -> None:
        """Run until stopped."""
        reporting = asyncio.create_task(self._report_settled())
        self._role.ready("judging")
        try:
            while self._role.runs:
                self._role.notifier.beat()
                self._sessions.sweep()
                await self._close_retired()
                if reporting.done():
                    reporting.result()  # raises its error, which would otherwise go unnoticed
                await self._role.pause(SWEEP_SECONDS)
        finally:
            self._role.notifier.stopping()
            reporting.cancel()
            await self._shut_down()

    async def _shut_down(self) -> None:
        self._channel.close()
        self._sessions.drop_questions()
        await asyncio.to_thread(self._effects.close)
        for registry in (*self._retired, self._registry):
            await registry.close()
        if self._memory is not None:
            await self._memory.close()
        self._role.notifier.close()

    async def _close_retired(self) -> None:
        """Close the registries of earlier configurations that no session uses."""
        for registry in [one for one in self._retired if not self._sessions.uses(one)]:
            self._retired.remove(registry)
            await registry.close()

    def stop(self) -> None:
        """Stop; the gateway has what the next aggregator needs."""
        self._role.stop()

    def reload(self) -> None:
        """Apply changed plugins to new sessions; running sessions keep theirs.

        The workers apply changed LIVENESS.THRESHOLDS and CHECKS from the next frame.
        """
        self._role.reload(self._renew)

    def _renew(self, part: Part) -> None:
        fresh = part.config
        renewed = Registry(fresh)
        if needing_restart := sinks.changed(self._config, fresh):
            log.warning(
                "changes in %s take effect only after a restart", ", ".join(needing_restart)
            )
        self._retired.append(self._registry)  # running sessions still use its plugins
        self._registry, self._config = renewed, fresh
        self._sessions.renew(fresh, renewed)

    def _receive(self, peer: bytes, data: bytes) -> None:
        try:
            self._handle(peer, data)
        except MessageError as error:
            log.error("invalid message from the gateway: %s", error)

    def _handle(self, peer: bytes, data: bytes) -> None:
        message = decode(data)
        if isinstance(message, GatewayHello):
            self._greet(peer, message)
            return
        if not isinstance(message, _SESSION_MESSAGES):
            raise MessageError(f"{type(message).__name__} is not for the aggregator")
        if peer != self._gateway:
            # From a dead gateway. Its successor has the sessions and assigns the frame numbers
            # again, so judging this late request could answer the wrong frame.
            return
        if message.incarnation != self._incarnation:
            return  # for the previous aggregator; the gateway will replay
        if isinstance(message, Judge):
            self._sessions.judge(peer, message)
        elif isinstance(message, Open):
            self._sessions.open(peer, message)
        elif isinstance(message, Resume):
            self._sessions.resume(peer, message)
        elif isinstance(message, Commit):
            self._sessions.commit(message)
        elif isinstance(message, Forget):
            self._sessions.forget(message)
        else:
            self._sessions.close(peer, message)

    def _greet(self, peer: bytes, hello: GatewayHello) -> None:
        """Welcome a gateway; the hello of a dead gateway may arrive after its successor's."""
        superseded = hello.gateway in self._gateways and hello.gateway != self._gateways[-1]
        welcome = encode(Welcome(self._incarnation, os.getpid()))
        if superseded or not self._channel.send(welcome, peer):
            return
        self._gateway = peer
        if hello.gateway not in self._gateways:
            self._gateways.append(hello.gateway)
            self._sessions.hand_over(peer)
        if self._accounts.due(self._clock.monotonic()):
            self._send(peer, self._accounts.message())

    def _send(self, peer: bytes, message: Message) -> None:
        if not self._channel.send(encode(message), peer):
            log.error("the gateway cannot be reached; it will repeat its request")

    async def _report_settled(self) -> None:
        """Report to the gateway what is settled, and every second the health of the sinks."""
        reported_at = 0.0
        while self._effects:
            await asyncio.sleep(SETTLE_SECONDS)
            settled = self._effects.settled()
            if not settled.marks and self._clock.monotonic() - reported_at < HEALTH_SECONDS:
                continue
            reported_at = self._clock.monotonic()
            self._sessions.settle(settled)
            if self._gateway:
                self._channel.send(encode(settled), self._gateway)


async def _serve(source: PartSource, parent: int | None) -> None:
    aggregator = Aggregator(source.part.config, source, parent=parent)
    handle_signals(stop=aggregator.stop, interrupt=aggregator.stop, reload=aggregator.reload)
    await aggregator.run()


def run(source: PartSource, *, parent: int | None = None) -> None:
    """Run the aggregator until it is stopped.

    Raises:
        StartupError: the configuration does not allow a start.
    """
    set_up_process(role_name(source.part.config, "aggregator"), source.part)
    uvloop.run(_serve(source, parent))
