"""Bytes of clients are limited: per second by slowing clients down, in total by refusing them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway.limits.buckets import TokenBucket
from gateway.limits.inflow import RETURN_BYTES, RETURN_SECONDS, HeldBytes, Inflow, MemoryReturn
from gateway.state.session import Session
from gateway.web.client_socket import ClientSocket, ClientSockets
from gateway.web.connection import Connection
from gateway.web.start_token import StartTokens
from shared.config.service import Config, LimitsSection
from shared.frame.estimation import Profile
from shared.wire.messages import Open, Opened
from shared.wire.protocol import Codec, Command
from tests.support.clock import SettableClock
from tests.support.quiet_links import QuietLink, quiet_frames, quiet_sessions
from tests.support.raw import frame
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until

FIRST, SECOND = "192.0.2.1", "192.0.2.2"


def test_an_address_may_hold_as_much_as_is_free() -> None:
    """One address alone gets half of the capacity, and the rest is left for others."""
    held = HeldBytes(900)
    held.change(FIRST, 400)
    assert held.has_room(FIRST, 50)
    held.change(FIRST, 50)
    assert not held.has_room(FIRST, 1)
    assert held.has_room(SECOND, 450)
    held.change(SECOND, 225)
    assert not held.has_room(SECOND, 1)
    assert held.has_room("192.0.2.3", 200)


def test_bytes_are_held_as_long_as_their_owner_lives() -> None:
    """Then they are freed, and the address is forgotten."""

    class Owner:
        __hash__ = None  # type: ignore[assignment]  # as a dataclass has it, such as a frame

    held, owner, other = HeldBytes(1000), Owner(), Owner()
    held.hold_for(owner, FIRST, 300)
    held.hold_for(other, FIRST, 200)
    assert held.total == 500
    del owner
    gc.collect()
    assert (held.total, held.freed, held._of_address) == (200, 300, {FIRST: 200})
    del other
    gc.collect()
    assert (held.total, held._of_address, held._holds) == (0, {}, {})


def test_a_connection_over_its_rate_waits() -> None:
    """Twice the rate is read at once; then it waits for as long as the bytes need at the rate."""
    clock = SettableClock()
    limits = LimitsSection(bytesPerSecond=1000.0, bytesPerAddress=1e9)
    meter = Inflow(limits, HeldBytes(10**9), clock=clock).meter(FIRST)
    assert meter.receive(2000) == 0
    assert meter.receive(500) == 0.5
    clock.advance(1.5)
    assert meter.receive(1000) == 0


def test_connections_of_an_address_share_its_rate() -> None:
    """A /64 of IPv6 is one address; another address has its own rate."""
    limits = LimitsSection(bytesPerSecond=1e9, bytesPerAddress=1000.0)
    inflow = Inflow(limits, HeldBytes(10**9), clock=SettableClock())
    assert inflow.meter("2001:db8::1").receive(2000) == 0
    assert inflow.meter("2001:db8::2").receive(1000) == 1
    assert inflow.meter("2001:db8:0:1::1").receive(1000) == 0


def test_memory_is_returned_to_the_system_after_large_frees() -> None:
    """It is not returned after small ones, nor twice within the pause."""
    held, given = HeldBytes(10**12), list[float]()
    memory = MemoryReturn(held, lambda: given.append(1))
    held.change(FIRST, 3 * RETURN_BYTES)
    memory.look(100.0)
    held.change(FIRST, 1 - RETURN_BYTES)
    memory.look(100.0)
    assert len(given) == 0
    held.change(FIRST, -1)
    memory.look(100.0)
    memory.look(100.0)
    assert len(given) == 1
    held.change(FIRST, -2 * RETURN_BYTES)
    memory.look(100.0 + RETURN_SECONDS - 1)
    assert len(given) == 1
    memory.look(100.0 + RETURN_SECONDS)
    memory.look(100.0 + 3 * RETURN_SECONDS)
    assert len(given) == 2


def session(address: str) -> Session:
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    return Session(opened.session, opened, address, TokenBucket(9, 9), 0.0, Profile.PASSIVE)


def test_waiting_frames_count_until_they_are_gone() -> None:
    """Each counts once; a frame that does not fit is dropped, those of others are not."""
    held = HeldBytes(50_000)
    frames = quiet_frames(held=held)
    greedy, other = session(FIRST), session(SECOND)
    picture = stamped_jpeg(1, 1)
    size = len(picture)
    assert 3 * size < 50_000 < 5 * size
    frames.accept(greedy, picture)
    greedy.start()
    frames.accept(greedy, picture)
    assert held.total == 2 * size
    another = session(FIRST)
    frames.accept(another, picture)
    assert (another.waiting, held.total) == (None, 2 * size)
    frames.accept(other, picture)
    assert other.waiting is not None
    for made in (greedy, other):
        made.end()
    gc.collect()
    assert held.total == 0


def acknowledged(session: Session) -> None:
    """Have the aggregator acknowledge a session at once."""
    session.acknowledge(Opened(session.id, Profile.PASSIVE))


class Cell:
    """The sockets of a gateway, without workers and aggregator."""

    def __init__(self, **limits: Any) -> None:
        self.config = Config(LIMITS=LimitsSection(**limits))
        self.held = HeldBytes(self.config.LIMITS.heldBytes)
        link = QuietLink(acknowledged)
        self.sessions = quiet_sessions(self.config, link, held=self.held)
        # The clock is stopped, so a debt is never paid, however long the test takes.
        inflow = Inflow(self.config.LIMITS, self.held, clock=SettableClock())
        self.client_sockets = ClientSockets(self.config.LIMITS, 10, inflow)
        self.sockets: list[ClientSocket] = []

    async def _handle(self, socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        self.sockets.append(socket)
        await Connection(socket, self.sessions, StartTokens(self.config), self.config).run()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[ClientConnection]:
        """Connect a client that has its session."""
        async with serve(
            self._handle,
            "127.0.0.1",
            0,
            create_connection=self.client_sockets.connection,
            compression=None,
            ping_interval=None,
        ) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
                await client.send(Codec.encode(Command.CONNECT))
                await client.recv()
                yield client


async def test_an_unfinished_message_over_the_limit_is_refused() -> None:
    """The client gets session.full and 1013.

    The bytes are freed at once, and the rest is not read.
    """
    cell = Cell(heldBytes=50_000)
    async with cell.client() as client:
        message = frame(2, bytes(90_000))
        client.transport.write(message[:60_000])
        await until(lambda: cell.sockets[0]._handle is ClientSocket._ignore)
        assert cell.held.total == 0
        client.transport.write(message[60_000:])
        await asyncio.sleep(0.05)
        assert cell.held.total == 0
        assert "session.full" in str(await client.recv())
        with contextlib.suppress(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1013


async def test_an_unfinished_message_is_freed_when_its_connection_ends() -> None:
    """It does not matter what ended it."""
    cell = Cell(heldBytes=1_000_000)
    async with cell.client() as client:
        client.transport.write(frame(2, bytes(90_000))[:60_000])
        await until(lambda: cell.held.total > 50_000)
        client.transport.abort()
        await until(lambda: cell.held.total == 0)


async def test_a_client_over_its_rate_is_read_later() -> None:
    """Nothing it sends is lost, and reading resumes by itself."""
    cell = Cell(bytesPerSecond=200_000.0)
    frames: list[int] = []
    cell.sessions.frames.accept = lambda _, data: frames.append(len(data))  # type: ignore[method-assign]
    async with cell.client() as client:
        paused: list[bool] = []
        cell.sockets[0].transport.pause_reading = lambda: paused.append(True)  # type: ignore[method-assign]
        for _ in range(9):
            await client.send(bytes(50_000))
        await until(lambda: len(frames) == 9)
        assert paused


async def test_messages_that_were_read_are_freed() -> None:
    """Messages queued for the connection's reader count until it takes them."""
    cell = Cell()
    async with cell.client() as client:
        for _ in range(3):
            await client.send(Codec.encode(Command.HEARTBEAT))
        for _ in range(3):
            await client.recv()
        assert cell.held.total == 0
