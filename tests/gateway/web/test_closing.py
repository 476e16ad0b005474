"""A verdict reaches a client on a slow line; a client that reads nothing is disconnected."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.state.session import Session
from gateway.web import closing
from gateway.web.client_socket import ClientSocket, ClientSockets
from gateway.web.closing import (
    MAX_CLOSING_SECONDS,
    PROXY_STEP,
    SLOWEST_LINE,
    STALL_SECONDS,
    ClosingTimeLimit,
)
from gateway.web.connection import Connection
from gateway.web.start_token import StartTokens
from shared.config.service import Config
from shared.frame.estimation import Profile
from shared.wire.messages import Opened
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.quiet_links import QuietLink, quiet_sessions
from tests.support.raw import UPGRADE, frame

TEXT = 1
READ_SECONDS = 0.25


@contextlib.asynccontextmanager
async def decided(size: int) -> AsyncIterator[tuple[int, ClientSockets]]:
    """Yield port and sockets of a service that decides at once, with a RESULT of this many bytes.

    Its send buffer is small, as on a slow line; on loopback it would take everything at once.
    """
    config = Config()

    def known(session: Session) -> None:
        session.decide("R" * size)
        session.release()
        session.acknowledge(Opened(session.id, Profile.PASSIVE))

    sessions = quiet_sessions(config, QuietLink(known))

    async def handle(line: ServerConnection) -> None:
        assert isinstance(line, ClientSocket)
        await Connection(line, sessions, StartTokens(config), config).run()

    sockets = ClientSockets(config.LIMITS, max_open=10)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    async with serve(handle, sock=listener, create_connection=sockets.connection, close_timeout=2):
        yield listener.getsockname()[1], sockets


async def connected(port: int) -> socket.socket:
    """Return a client with a small receive buffer that has sent CONNECT."""
    loop = asyncio.get_running_loop()
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await loop.sock_connect(line, ("127.0.0.1", port))
    await loop.sock_sendall(line, UPGRADE + frame(TEXT, Codec.encode(Command.CONNECT).encode()))
    return line


async def read_all(line: socket.socket, rate: int) -> bytes:
    """Read until the connection's end or Close, at this many bytes a second."""
    loop = asyncio.get_running_loop()
    close = int(CloseCode.VERDICT).to_bytes(2, "big") + b"verdict given"
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while not data.endswith(close):
            piece = await loop.sock_recv(line, int(rate * READ_SECONDS))
            if not piece:
                break
            data += piece
            await asyncio.sleep(READ_SECONDS)
    return data


async def until_cut(sockets: ClientSockets) -> None:
    """Wait until the service has no socket open."""
    while sockets.open:  # noqa: ASYNC110  # a plain count, without an event
        await asyncio.sleep(READ_SECONDS)


async def test_a_slow_client_gets_its_result() -> None:
    """At 64 kbit/s it takes longer than any short fixed timeout, and its close code arrives.

    CONNECTED announces the RESULT of a decided session, and so does the HEARTBEAT before it.
    """
    size = 120_000
    async with decided(size) as (port, _):
        with await connected(port) as line:
            data = await asyncio.wait_for(read_all(line, 8_000), 120)
    assert data.count(b'"result-bytes":%d' % size) == 2
    assert data.count(b"R" * size) == 1
    assert data.endswith(b"verdict given")


async def test_a_client_that_stops_reading_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service ends the connection by itself, although its verdict is not written."""
    monkeypatch.setattr(closing, "PROXY_STEP", 0)
    monkeypatch.setattr(closing, "STALL_SECONDS", 1.0)
    async with decided(500_000) as (port, sockets):
        with await connected(port) as line:
            await asyncio.get_running_loop().sock_recv(line, 1000)
            assert sockets.open == 1
            async with asyncio.timeout(60):
                await until_cut(sockets)


def test_progress_extends_the_time() -> None:
    """Each byte read restarts the time; new unread bytes do not."""
    limit = ClosingTimeLimit(100, 0, 0.0)
    assert not limit.is_over(100, STALL_SECONDS - 0.1)
    assert not limit.is_over(99, STALL_SECONDS)
    assert not limit.is_over(150, 2 * STALL_SECONDS - 0.1)
    assert limit.is_over(99, 2 * STALL_SECONDS)


def test_bytes_buffered_by_a_proxy_get_the_time_of_a_slow_line() -> None:
    """All is acknowledged at once, and nothing more is observed until the client closes."""
    limit = ClosingTimeLimit(0, 40_000, 0.0)
    needed = 40_000 / SLOWEST_LINE
    assert not limit.is_over(0, STALL_SECONDS + needed - 0.1)
    assert limit.is_over(0, STALL_SECONDS + needed)


def test_unread_bytes_do_not_extend_the_time() -> None:
    """Without progress a large message has no more time than one step of a proxy needs."""
    step = STALL_SECONDS + PROXY_STEP / SLOWEST_LINE
    limit = ClosingTimeLimit(300_000, 300_000, 0.0)
    assert not limit.is_over(300_000, step - 0.1)
    assert not limit.is_over(200_000, step)
    assert limit.is_over(200_000, 2 * step)


def test_the_total_time_is_limited() -> None:
    """It holds for one byte a second, too."""
    limit = ClosingTimeLimit(10_000, 0, 0.0)
    over = [second for second in range(1000) if limit.is_over(10_000 - second, float(second))]
    assert over[0] == MAX_CLOSING_SECONDS


def test_a_restart_shortens_the_time() -> None:
    """From then on progress does not extend it."""
    limit = ClosingTimeLimit(100, 0, 0.0)
    limit.end_by(5.0)
    assert not limit.is_over(99, 4.9)
    assert limit.is_over(98, 5.0)
