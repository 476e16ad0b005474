"""The gateway process: one port for WebSocket and HTTP, and the wiring of its parts."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from functools import partial

import uvloop
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Response
from websockets.typing import Subprotocol

from gateway import metrics
from gateway.ledger import Ledger
from gateway.limits.inflow import HeldBytes, Inflow, MemoryReturn
from gateway.pool.dispatch import Dispatcher
from gateway.pool.slots import make_slab
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.refused_sessions import SharedRefusals
from gateway.sessions.sessions import Sessions
from gateway.statistics import Statistics
from gateway.traces import Traces
from gateway.web.client_socket import ClientSocket, ClientSockets
from gateway.web.connection import Connection
from gateway.web.descriptors import Descriptors, make_room
from gateway.web.front import Front
from gateway.web.http import finish
from gateway.web.library_log import LibraryLog
from gateway.web.readiness import readiness
from gateway.web.server_result import ServerResult
from gateway.web.start_token import StartTokens
from shared.config.cells import role_name, worker_count
from shared.config.handover import PartSource
from shared.config.parts import Part
from shared.frame.slab_handover import SlabServer
from shared.process.clock import SYSTEM, Clock
from shared.process.listening import Listeners
from shared.process.role import Role, handle_signals, set_up_process
from shared.wire.protocol import SUBPROTOCOL, CloseCode
from shared.wire.transport import runtime_directory
from shared.wire.websocket_adapter import SERVER_LOGGER, stop_accepting

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.1
CLOSE_SECONDS = 5.0
"""Time to close the connections that are still open after the drain."""


class Gateway:
    """Makes the parts of the process and connects them; ends when the supervisor has ended."""

    def __init__(
        self,
        source: PartSource,
        listeners: Listeners,
        *,
        parent: int | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._role = Role(source, parent=parent, clock=clock)
        self._clock = clock
        self._part = source.part
        self._config = config = source.part.config
        self._listeners = listeners
        self._servers: list[Server] = []
        self._connections: set[Connection] = set()
        self._capacity = make_room(config)
        self._descriptors = Descriptors()
        self._held = HeldBytes(config.LIMITS.heldBytes)
        self._memory = MemoryReturn(self._held)
        inflow = Inflow(config.LIMITS, self._held, clock=clock)
        self._client_sockets = ClientSockets(config.LIMITS, self._capacity.sockets, inflow)
        self._permanently = False
        self._slab = make_slab(config, clock=clock)
        self._slab_server = SlabServer(self._slab, runtime_directory(config))
        try:
            self._wire()
        except BaseException:
            self._slab_server.close()
            self._slab.close()
            raise

    def _wire(self) -> None:
        """Make the parts: both links before the sessions, which receive what they report."""
        config, key, clock = self._config, self._part.sealing_key, self._clock
        ledger = Ledger(metrics.STEPS, clock=clock)
        self._pool = Dispatcher(config, self._slab, self._slab_server.offer, ledger, clock=clock)
        self._link = JudgementLink(config, ledger, clock=clock)
        self._traces = Traces(config.TRACES, clock=clock) if config.TRACES.isEnabled else None
        refusals: SharedRefusals | None = None
        if config.SESSION_STORE.connectionString:
            # A late import, as in gateway/sessions/handover.py.
            from gateway.sessions.refused_sessions_store import StoredRefusals

            refusals = StoredRefusals(config, clock=clock)
        self._sessions = Sessions(
            config,
            self._pool,
            self._link,
            refusals,
            sealing_key=key,
            held=self._held,
            trace=self._traces.frame if self._traces else None,
            clock=clock,
        )
        self._start_tokens = StartTokens(config, clock=clock)
        statistics = Statistics(
            self._sessions,
            self._pool,
            self._link,
            ledger,
            lambda: self._part.generation,
            clock=clock,
        )
        self._front = Front(
            config,
            statistics=statistics,
            readiness=self._readiness,
            server_result=ServerResult(config, self._sessions.results.find),
            jwks=self._part.jwks,
            has_room=self._has_room,
            clock=clock,
        )

    async def run(self) -> None:
        """Serve until stopped, then drain."""
        try:
            self._servers = [await self._serve_at(item) for item in self._listeners.sockets]
            self.port: int = self._listeners.sockets[0].getsockname()[1]
            log.info("listening", extra={"fields": {"port": self.port}})
            self._role.ready(f"listening on port {self.port}")
            await self._work()
            await self._drain()
            await self._close_servers()
        finally:
            await self._sessions.close()
            await self._start_tokens.close()
            if self._traces is not None:
                self._traces.close()
            self._pool.close()
            self._link.close()
            self._slab_server.close()
            self._slab.close()

    def stop(self, *, permanently: bool = False) -> None:
        """Start to drain.

        If ``permanently``, no gateway follows. So a client that connects now is refused, and does
        not wait in the queue of a socket that another process holds open.
        """
        self._permanently = permanently
        self._role.stop()

    def reload(self) -> None:
        """Read the configuration again; no session and no connection is touched."""
        self._role.reload(self._renew)

    def _renew(self, part: Part) -> None:
        self._start_tokens.renew(part.config)  # first: it alone may refuse the part
        self._part, self._config = part, part.config
        self._front.renew(self._config)
        self._link.renew(self._config)
        self._sessions.renew(self._config)

    async def _serve_at(self, listener: socket.socket) -> Server:
        limits = self._config.LIMITS
        return await serve(
            self._serve,
            sock=listener,
            process_request=self._front.answer,
            process_response=finish,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=_select_subprotocol,
            compression=None,
            max_size=limits.frameBytes,
            max_queue=2,
            open_timeout=limits.connectTimeout,
            ping_interval=None,
            close_timeout=2,
            server_header=None,
            create_connection=self._client_sockets.connection,  # type: ignore[arg-type]  # a factory
        )

    async def _stop_accepting(self) -> None:
        """Stop accepting: a client that connects now waits in the kernel for the next gateway."""
        for server in self._servers:
            stop_accepting(server)
        await asyncio.sleep(0)  # a socket accepted just before is counted as open after this turn

    async def _close_servers(self) -> None:
        for server in self._servers:
            server.close(code=CloseCode.RESTART, reason="the service restarts")
        for server in self._servers:
            await server.wait_closed()

    async def _work(self) -> None:
        while self._role.runs:
            self._tick()
            await self._role.pause(SWEEP_SECONDS)

    def _tick(self) -> None:
        self._role.notifier.beat()
        self._link.beat()
        self._sessions.replay.repeat_overdue()
        self._pool.sweep()
        self._sessions.sweep()
        now = self._clock.monotonic()
        self._descriptors.look(now)
        self._memory.look(now)
        metrics.STEPS.fold()
        for connection in list(self._connections):
            connection.check_idle(now)

    async def _drain(self) -> None:
        """Take no new clients, let the others finish, then close what is left with 1012."""
        self._role.notifier.stopping()
        if self._has_successor():
            await self._stop_accepting()
        else:
            self._front.drain()
        deadline = self._clock.monotonic() + self._config.LIMITS.drainSeconds
        while self._has_work() and self._clock.monotonic() < deadline:
            self._tick()
            await asyncio.sleep(SWEEP_SECONDS)
        self._front.drain()  # for a handshake that has outlasted the deadline
        for connection in list(self._connections):
            connection.outbox.close(CloseCode.RESTART, "the service restarts")
            connection.outbox.end_within(CLOSE_SECONDS)

    def _has_successor(self) -> bool:
        """Whether another gateway will accept the clients that connect from now on."""
        return self._listeners.inherited and not self._permanently

    def _has_work(self) -> bool:
        """Whether a client connects, waits for its verdict, or is just receiving it."""
        if self._has_successor() and self._client_sockets.open > len(self._connections):
            return True  # a handshake
        undecided = bool(self._sessions.undecided and self._connections)
        return undecided or any(
            line.connecting or line.outbox.close_code is not None for line in self._connections
        )

    async def _serve(self, socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)  # as self._client_sockets makes them
        connection = Connection(
            socket, self._sessions, self._start_tokens, self._config, clock=self._clock
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def _has_room(self) -> bool:
        full = len(self._connections) >= self._capacity.connections
        return not (full or self._descriptors.exhausted)

    def _readiness(self) -> Response:
        return readiness(
            draining=self._role.is_stopped,
            workers=len(self._pool.workers.ready),
            wanted=worker_count(self._config),
            aggregator=self._link.up,
        )


def _select_subprotocol(
    _connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Select our subprotocol if it is offered; a client may also offer none."""
    ours = Subprotocol(SUBPROTOCOL)
    return ours if ours in offered else None


async def _serve(source: PartSource, listeners: Listeners, parent: int | None) -> None:
    gateway = Gateway(source, listeners, parent=parent)
    leave = partial(gateway.stop, permanently=True)
    handle_signals(stop=gateway.stop, interrupt=leave, reload=gateway.reload)
    await gateway.run()


def run(source: PartSource, listeners: Listeners, *, parent: int | None = None) -> None:
    """Run the gateway until a signal stops it.

    Raises:
        StartupError: the settings or the machine do not allow a start.
    """
    set_up_process(role_name(source.part.config, "gateway"), source.part)
    logging.getLogger(SERVER_LOGGER).addFilter(LibraryLog())
    uvloop.run(_serve(source, listeners, parent))
