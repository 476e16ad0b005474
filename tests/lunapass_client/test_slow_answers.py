"""Both Python clients on a slow line: they wait while there is progress, and give up without it.

The server is a script that reads and writes bytes at any rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from lunapass_client import Client, NoVerdict, SyncClient, Verdict
from shared.wire.protocol import Codec, Command

PATIENCE = 0.8
PIECES = 30
PAUSE = 0.1
"""Seconds between two pieces; all of them take several times the patience."""
FRAME = bytes(100_000)
LARGE_FRAME = bytes(6_000_000)
"""Read in pieces of at most 256 KiB, as asyncio does, it takes several times the patience."""
HUGE_FRAME = bytes(30_000_000)
"""More than the kernel's buffers can store."""
TOKEN = "T" * 60_000
RESULT = Codec.encode(Command.RESULT, {}, {"isOk": True, "jwt": TOKEN, "errors": []})
ANNOUNCEMENT = Codec.encode(Command.HEARTBEAT, {"result-bytes": len(RESULT)})
GIVEN_UP = 30.0
"""Seconds within which any client has detected a stalled line."""

Script = Callable[[ServerConnection, int], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script, announced: bool = False) -> AsyncIterator[str]:
    """Yield the address of a service that answers CONNECT, then follows a script.

    Args:
        script: gets each connection and its number, from 0.
        announced: CONNECTED of a resumed session says that RESULT follows.
    """
    count = 0

    async def handle(line: ServerConnection) -> None:
        nonlocal count
        number, count = count, count + 1
        headers: dict[str, Any] = {"session-id": "0" * 32, "resume-token": "1" * 32, "seq": 0}
        if announced and number > 0:
            headers["result-bytes"] = len(RESULT)
        with contextlib.suppress(ConnectionClosed):
            await line.recv()
            await line.send(Codec.encode(Command.CONNECTED, headers))
            await script(line, number)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    options: dict[str, Any] = {"max_size": None, "ping_interval": None, "close_timeout": 1}
    async with serve(handle, sock=listener, **options):
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"


async def drip(line: ServerConnection, text: str, pieces: int = PIECES) -> None:
    """Send the first ``PIECES`` of a message."""
    data = text.encode()
    wire = b"\x81\x7f" + len(data).to_bytes(8, "big") + data  # one text frame (RFC 6455, 5.2)
    size = len(wire) // PIECES + 1
    for at in range(0, pieces * size, size):
        line.transport.write(wire[at : at + size])
        await asyncio.sleep(PAUSE)


@pytest.fixture(params=["asynchronous", "synchronous"])
def check(request: pytest.FixtureRequest) -> Callable[..., Awaitable[Verdict]]:
    """Run a client with one frame only, so that it waits or fails."""

    async def with_await(url: str, resumes: int = 0, frame: bytes = FRAME) -> Verdict:
        async with Client(url, patience=PATIENCE, resumes=resumes) as client:
            return await client.check([frame])

    def blocking(url: str, resumes: int, frame: bytes) -> Verdict:
        with SyncClient(url, patience=PATIENCE, resumes=resumes) as client:
            return client.check([frame])

    async def in_thread(url: str, resumes: int = 0, frame: bytes = FRAME) -> Verdict:
        return await asyncio.to_thread(blocking, url, resumes, frame)

    return with_await if request.param == "asynchronous" else in_thread


async def test_a_result_that_is_arriving_is_awaited(
    check: Callable[..., Awaitable[Verdict]],
) -> None:
    """It takes longer than ``patience``; its announcement is skipped."""

    async def script(line: ServerConnection, number: int) -> None:
        await line.recv()
        await line.send(ANNOUNCEMENT)
        await drip(line, RESULT)

    async with scripted(script) as url:
        verdict = await check(url)
    assert verdict.token == TOKEN


async def test_a_frame_being_sent_is_no_silence(
    check: Callable[..., Awaitable[Verdict]],
) -> None:
    """Sending the frame takes longer than ``patience``; the client waits."""

    async def script(line: ServerConnection, number: int) -> None:
        whole = asyncio.create_task(line.recv())
        while not whole.done():
            line.transport.pause_reading()
            await asyncio.sleep(PAUSE)
            line.transport.resume_reading()
            await asyncio.sleep(0.001)  # reads only the kernel's buffer meanwhile
        await line.send(RESULT)

    async with scripted(script) as url:
        verdict = await check(url, frame=LARGE_FRAME)
    assert verdict.accepted


@pytest.mark.parametrize("pieces", [0, PIECES // 2])
async def test_a_stalled_line_is_given_up(
    check: Callable[..., Awaitable[Verdict]], pieces: int
) -> None:
    """A missing answer, or one that stops half-way, is detected in limited time."""

    async def script(line: ServerConnection, number: int) -> None:
        await line.recv()
        await drip(line, RESULT, pieces)
        await line.wait_closed()

    async with scripted(script) as url, asyncio.timeout(GIVEN_UP):
        with pytest.raises(NoVerdict):
            await check(url)


async def test_an_unread_frame_is_given_up(
    check: Callable[..., Awaitable[Verdict]],
) -> None:
    """The service stops reading during a frame, which is detected in limited time."""
    given_up = asyncio.Event()

    async def script(line: ServerConnection, number: int) -> None:
        line.transport.pause_reading()
        await given_up.wait()
        line.transport.abort()

    async with scripted(script) as url:
        try:
            async with asyncio.timeout(GIVEN_UP):
                with pytest.raises(NoVerdict):
                    await check(url, frame=HUGE_FRAME)
        finally:
            given_up.set()


async def test_an_interrupted_result_is_delivered_again(
    check: Callable[..., Awaitable[Verdict]],
) -> None:
    """Interrupted, announced by the next CONNECTED, and slow again: it needs no new frame."""

    async def script(line: ServerConnection, number: int) -> None:
        if number == 0:
            await line.recv()
            await drip(line, RESULT, PIECES // 2)
            line.transport.abort()
        else:
            await asyncio.sleep(PATIENCE / 2)  # longer than the wait for an unannounced one
            await drip(line, RESULT)

    async with scripted(script, announced=True) as url:
        verdict = await check(url, resumes=2)
    assert verdict.token == TOKEN


async def test_the_library_sends_no_pings() -> None:
    """A pong would wait behind RESULT, and the library would close the connection after 20 s."""

    async def script(line: ServerConnection, number: int) -> None:
        await line.wait_closed()

    async with scripted(script) as url:
        async with Client(url) as client:
            assert client.socket.ping_interval is None

        def ask() -> float | None:
            with SyncClient(url) as client:
                return client.socket.ping_interval

        assert await asyncio.to_thread(ask) is None
