"""Frames bypass the library's queue only if that keeps the order of messages."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import weakref
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame
from websockets.http11 import Request, Response

from gateway.web.client_socket import ClientSocket, ClientSockets
from shared.config.service import LimitsSection
from tests.support.log import logged
from tests.support.raw import UPGRADE, frame
from tests.support.waiting import until

TEXT, BINARY, CONTINUATION, CLOSE = 1, 2, 0, 8

Sent = tuple[bool, int, int]
"""A message: whether it is binary, its number of fragments, and the number of pauses after it."""
messages = st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 2)), max_size=12)


def encoded(number: int, binary: bool, fragments: int) -> bytes:
    """Return the frames of a message with its number in each fragment."""
    wire = b""
    for index in range(fragments):
        opcode = (BINARY if binary else TEXT) if index == 0 else CONTINUATION
        wire += frame(opcode, b"<%d>" % number, final=index == fragments - 1)
    return wire


async def exchange(sent: list[Sent]) -> tuple[list[bytes], int]:
    """Return the messages that the handler gets, and how many bypassed the queue."""
    seen: list[bytes] = []
    short: list[bytes] = []
    done = asyncio.Event()

    def take(data: bytes) -> None:
        seen.append(data)
        short.append(data)

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        socket.on_image = take
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await socket.next_message()
                seen.append(message.encode() if isinstance(message, str) else message)
        done.set()

    sockets = ClientSockets(LimitsSection(), max_open=10)
    async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        for number, (binary, fragments, pauses) in enumerate(sent):
            writer.write(encoded(number, binary, fragments))
            for _ in range(pauses):  # without a pause several messages arrive in one packet
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.write(frame(CLOSE, (1000).to_bytes(2, "big")))
        await reader.read()
        writer.close()
        await asyncio.wait_for(done.wait(), 60)
    return seen, len(short)


@settings(deadline=None, max_examples=60)
@given(messages)
def test_every_message_keeps_its_place(sent: list[Sent]) -> None:
    """Texts and images, in any fragments and packets."""
    seen, short = asyncio.run(exchange(sent))
    assert seen == [b"<%d>" % n * fragments for n, (_, fragments, _) in enumerate(sent)]
    assert short <= sum(binary and fragments == 1 for binary, fragments, _ in sent)


def test_whole_images_bypass_the_queue() -> None:
    """They do if no other message is queued."""
    _, short = asyncio.run(exchange([(True, 1, 0)] * 5 + [(True, 1, 1)] * 5))
    assert short == 10


async def test_an_ended_connection_is_freed_at_once() -> None:
    """No garbage collection is needed: it may hold megabytes, and collections ignore bytes."""
    connections: list[weakref.ref[Any]] = []

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        connections.extend((weakref.ref(socket), weakref.ref(socket.protocol)))
        socket.on_image = lambda data: None
        with contextlib.suppress(ConnectionClosed):
            await socket.next_message()

    gc.collect()
    gc.disable()
    try:
        sockets = ClientSockets(LimitsSection(), max_open=10)
        async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
            port = server.sockets[0].getsockname()[1]
            for last in (frame(BINARY, bytes(1000)), frame(BINARY, bytes(1000))[:500], b""):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(UPGRADE + last)
                await reader.readuntil(b"\r\n\r\n")
                writer.transport.abort()
                del reader, writer
            await until(lambda: len(connections) == 6)
            await until(lambda: all(made() is None for made in connections))
    finally:
        gc.enable()


@pytest.mark.parametrize("before", [b"", frame(9, b"")], ids=["alone", "after a ping"])
async def test_a_delivered_image_is_freed(before: bytes) -> None:
    """An idle connection does not keep its last frame until the next one arrives.

    After a ping in the same bytes, the library parses the frame, and its parser keeps it.
    """
    ready, taken = asyncio.Event(), asyncio.Event()

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        socket.on_image = lambda data: taken.set()
        ready.set()
        with contextlib.suppress(ConnectionClosed):
            await socket.next_message()

    sockets = ClientSockets(LimitsSection(), max_open=10)
    async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await until(ready.is_set)
        writer.write(before + frame(BINARY, bytes(100_000)))
        await until(taken.is_set)
        gc.collect()
        held = [made for made in gc.get_objects() if isinstance(made, Frame)]
        writer.close()
        assert [made.data for made in held if len(made.data) >= 100_000] == []
        assert bool(held) == bool(before)


def not_found(connection: ServerConnection, request: Request) -> Response | None:
    """Let only ``/`` open a WebSocket."""
    return None if request.path == "/" else connection.respond(HTTPStatus.NOT_FOUND, "no\n")


async def answer_to(wire: bytes) -> bytes:
    """Return all that a server answers to these bytes in one packet."""

    async def handle(socket: ServerConnection) -> None:
        await socket.wait_closed()

    sockets = ClientSockets(LimitsSection(), max_open=10)
    async with serve(
        handle, "127.0.0.1", 0, create_connection=sockets.connection, process_request=not_found
    ) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire)
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer


MISSING = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (MISSING, 404),
        (MISSING + MISSING, 404),
        (MISSING + UPGRADE, 404),
        (MISSING + b"\r\n\r\n", 404),
        (MISSING + b"\xff\xff\xff", 404),
        (MISSING + b"\x81\x01a", 404),
        (UPGRADE.replace(b"13\r", b"99\r") + b"\xff\xff\xff", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd", 405),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000), 405),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: \x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 7000 + b"\r\n") * 3 + b"\r\n", 431),
    ],
    ids=lambda value: ascii(value)[-40:],
)
async def test_a_request_gets_one_answer_and_no_log_line(wire: bytes, status: int) -> None:
    """It may be invalid in any way, or be followed by anything.

    A closed connection instead of an answer would count as a failed cell.
    """
    with logged("websockets.server", logging.ERROR) as lines:
        answer = await answer_to(wire)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    assert lines == []


async def test_an_invalid_head_request_is_answered_without_a_body() -> None:
    """A client would take a body after HEAD for the next answer."""
    head, _, body = (await answer_to(b"HEAD / HTTP/1.1\r\nX-A: \x01\r\n\r\n")).partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Length: 12" in head
    assert body == b""


async def test_an_endless_body_is_cut_off() -> None:
    """The answer arrives, and the rest is not read forever."""

    async def handle(socket: ServerConnection) -> None:
        await socket.wait_closed()

    sockets = ClientSockets(LimitsSection(), max_open=10)
    async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"405" in await reader.readline()

        async def send_on() -> None:
            for _ in range(10_000):
                writer.write(bytes(10_000))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await send_on()
        writer.close()


async def test_frames_sent_with_the_upgrade_request_are_delivered() -> None:
    """A client that does not wait for the answer loses nothing, in one packet or two."""
    seen: list[str | bytes] = []

    async def handle(socket: ServerConnection) -> None:
        assert isinstance(socket, ClientSocket)
        with contextlib.suppress(ConnectionClosed):
            while True:
                seen.append(await socket.next_message())

    sockets = ClientSockets(LimitsSection(), max_open=10)
    async with serve(handle, "127.0.0.1", 0, create_connection=sockets.connection) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        first, second = frame(TEXT, b"first"), frame(TEXT, b"second")
        writer.write(UPGRADE + first + second[:3])
        writer.write(second[3:] + frame(CLOSE, (1000).to_bytes(2, "big")))
        assert (await reader.read()).startswith(b"HTTP/1.1 101")
        writer.close()
    assert seen == ["first", "second"]
