"""Undocumented parts of ``websockets`` that the adapters use work as they expect.

A new version of the library that fails here needs new adapters, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, SecurityError
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.sync.client import connect as connect_sync

from lunapass_client import websocket_adapter as client_adapter
from lunapass_client.websocket_adapter import incomplete_bytes
from shared.wire import websocket_adapter as adapter
from shared.wire.websocket_adapter import AdaptedConnection, HeadParser
from tests.support.log import logged
from tests.support.raw import UPGRADE, frame
from tests.support.waiting import until

TEXT, BINARY = 1, 2


class Recorded(AdaptedConnection):
    """Records its hooks, and handles frames that start with ``take``."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: object) -> None:
        super().__init__(protocol, server, **options)  # type: ignore[arg-type]
        self.steps: list[str] = []
        self.frames: list[Frame] = []

    def on_open(self) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.steps.append("open")

    def on_bytes(self, data: bytes) -> None:
        self.steps.append("bytes")
        super().on_bytes(data)

    def on_frame(self, frame: Frame) -> bool:
        self.steps.append("frame")
        self.frames.append(frame)
        return bytes(frame.data).startswith(b"take")

    def on_written(self) -> None:
        self.steps.append("answered" if self.is_answered else "unanswered")

    def on_end(self) -> None:
        self.steps.append("end")


Handler = Callable[[ServerConnection], Awaitable[None]]


async def until_closed(connection: ServerConnection) -> None:
    await connection.wait_closed()


class Site:
    """A server and its connections."""

    def __init__(self, server: Server, made: list[Recorded]) -> None:
        self.server = server
        self.made = made
        self.port: int = server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"


@contextlib.asynccontextmanager
async def site(handler: Handler = until_closed, **options: object) -> AsyncIterator[Site]:
    made: list[Recorded] = []

    def make(protocol: ServerProtocol, server: Server, **kept: object) -> Recorded:
        made.append(Recorded(protocol, server, **kept))
        return made[-1]

    async with serve(handler, "127.0.0.1", 0, create_connection=make, **options) as server:  # type: ignore[arg-type]
        yield Site(server, made)


async def test_the_hooks_of_a_connection_run_in_order() -> None:
    """The bytes of the request head, the answer, a frame, the end."""
    received: list[str | bytes] = []

    async def handle(connection: ServerConnection) -> None:
        received.append(await connection.recv())

    async with site(handle) as running, connect(running.url) as client:
        await client.send(b"take this")
        await client.send("and leave this")
        await client.wait_closed()
        (made,) = running.made
        await until(lambda: made.steps[-1] == "end")
    assert received == ["and leave this"]
    assert made.steps[0] == "open"
    order = [made.steps.index(step) for step in ("bytes", "unanswered", "answered", "frame")]
    assert order == sorted(order)
    assert made.steps.count("frame") == 2
    assert [bytes(frame.data) for frame in made.frames] == [b"", b"and leave this"]


@pytest.mark.parametrize(
    ("wire", "refused"),
    [(UPGRADE, False), (UPGRADE.replace(b"13", b"99"), True), (b"refuse this", True)],
)
async def test_a_connection_records_how_its_request_was_answered(
    wire: bytes, refused: bool
) -> None:
    """The answer is an upgrade, the library's refusal, or the adapter's."""

    class Refusing(Recorded):
        def on_bytes(self, data: bytes) -> None:
            assert not self.is_answered
            assert not self.is_refused
            if data.startswith(b"refuse"):
                self.refuse(Response(405, "Method Not Allowed", Headers()))
            else:
                super().on_bytes(data)

    made: list[Refusing] = []

    def make(protocol: ServerProtocol, server: Server, **options: object) -> Refusing:
        made.append(Refusing(protocol, server, **options))
        return made[-1]

    async with serve(until_closed, "127.0.0.1", 0, create_connection=make) as server:  # type: ignore[arg-type]
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(wire)
        status = (await reader.readline()).split()[1]
        assert made[0].is_answered
        assert made[0].is_refused is refused
        writer.close()
    assert (status == b"101") is not refused


async def test_incomplete_frames_are_counted_and_discarded() -> None:
    """This applies to the server, which may discard them, and to both clients."""
    sent = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        await connection.recv()
        # A frame of 200 bytes, of which 100 arrive; a server does not mask.
        assert isinstance(connection, Recorded)
        connection.transport.write(b"\x82\x7e" + (200).to_bytes(2, "big") + bytes(100))
        sent.set()
        await connection.wait_closed()

    async with site(handle) as running:
        async with connect(running.url) as client:
            await client.send("go")
            await until(lambda: incomplete_bytes(client) == 100)
            client_adapter.transport_of(client).write(frame(BINARY, bytes(90))[:50])
            (made,) = running.made
            await until(lambda: made.unfinished_bytes() > 0)
            made.discard_incomplete()
            assert made.unfinished_bytes() == 0
            client_adapter.transport_of(client).abort()
        await asyncio.to_thread(look_at_the_synchronous_client, running.url)


def look_at_the_synchronous_client(url: str) -> None:
    """Check that it counts, too, has a socket, and can be cut off while another thread waits."""
    with connect_sync(url) as client:
        client.send("go")
        with pytest.raises(TimeoutError):
            client.recv(0.2)
        assert incomplete_bytes(client) == 100
        assert isinstance(client_adapter.socket_of(client), socket.socket)
        cutter = threading.Timer(0.1, client_adapter.cut, (client,))
        cutter.start()
        with pytest.raises(ConnectionClosed):
            client.recv(30)
        cutter.join()


async def test_reading_resumes_unless_the_queue_is_full() -> None:
    """The library itself pauses and resumes the transport then."""
    go_on = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        await go_on.wait()
        for _ in range(3):
            await connection.recv()
        await connection.wait_closed()

    async with site(handle, max_queue=1) as running, connect(running.url) as client:
        (made,) = running.made
        made.transport.pause_reading()
        made.resume_reading()
        assert made.transport.is_reading()
        for _ in range(3):
            await client.send("x")
        await until(lambda: not made.transport.is_reading())
        made.resume_reading()
        assert not made.transport.is_reading()
        go_on.set()
        await until(made.transport.is_reading)


async def test_a_listener_closes_without_its_connections() -> None:
    """Accepted connections still get their upgrade; the library alone answers 503."""
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        await until(lambda: running.made)
        adapter.stop_accepting(running.server)
        writer.write(UPGRADE)
        assert b" 101 " in await reader.readline()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.port)
        writer.close()


async def test_a_text_is_written_at_once() -> None:
    """It is in the socket when the call returns."""
    with socket.socket() as client:
        client.setblocking(False)
        async with site() as running:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", running.port))
            await loop.sock_sendall(client, UPGRADE)
            while not (await loop.sock_recv(client, 4096)).endswith(b"\r\n\r\n"):
                pass
            adapter.send_at_once(running.made[0], "hello")
            assert client.recv(100) == b"\x81\x05hello"
            client.close()


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
async def test_a_text_is_written_as_by_the_library(length: int) -> None:
    """Each form of a frame's length, with characters of two bytes."""
    text = "é" * (length // 2) + "x" * (length % 2)
    by_library = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    async with site() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        adapter.send_at_once(running.made[0], text)
        assert await reader.readexactly(len(by_library)) == by_library
        writer.close()


async def test_a_text_may_be_compressed() -> None:
    """Client and server must have agreed on it."""
    async with site(compression="deflate") as running, connect(running.url) as client:
        assert running.made[0].protocol.extensions
        adapter.send_at_once(running.made[0], "hello")
        assert await client.recv() == "hello"


async def test_a_text_after_the_close_frame_is_discarded() -> None:
    """Nothing may follow a close frame, and the caller need not know of it."""
    async with site() as running, connect(running.url) as client:
        (made,) = running.made
        made.protocol.send_close(1000)
        adapter.send_at_once(made, "too late")
        made.send_data()
        with pytest.raises(ConnectionClosed):
            await client.recv()


async def test_the_closing_handshake_may_take_its_time() -> None:
    """Without the limit, the library waits for a client that does not answer."""
    async with site(close_timeout=0.05) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        (made,) = running.made
        made.disable_close_timeout()
        closing = asyncio.create_task(made.close())
        await asyncio.wait({closing}, timeout=0.5)
        assert not closing.done()
        writer.close()
        await closing


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n", SecurityError),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 300, SecurityError),
        (b"nonsense\r\n", ValueError),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", NotImplementedError),
    ],
)
def test_heads_are_parsed_line_by_line(head: bytes, error: type[Exception] | None) -> None:
    """The last line completes a request head; an invalid one raises."""
    parser = HeadParser()
    lines = head.splitlines(keepends=True)
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        whole = [parser.feed(line) for line in lines]
        assert whole == [False] * (len(lines) - 1) + [True]


async def test_the_library_logs_to_the_rate_limited_logger() -> None:
    """An exception of a handler goes to the adapter's logger."""

    async def handle(connection: ServerConnection) -> None:
        raise RuntimeError("unexpected")

    with logged(adapter.SERVER_LOGGER, logging.ERROR) as lines:
        async with site(handle) as running, connect(running.url) as client:
            await client.wait_closed()
    assert "unexpected" in str(lines[0])
