"""The adapter reads binary messages without the library's parser, and leaves all others to it."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from shared.wire.websocket_adapter import AdaptedConnection
from tests.support.raw import UPGRADE, frame

TEXT, BINARY = 1, 2


class Reader(AdaptedConnection):
    """Reads binary messages without the library."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: object) -> None:
        super().__init__(protocol, server, **options)  # type: ignore[arg-type]
        self.taken: list[bytes] = []

    def takes_binary(self) -> bool:
        return True

    def on_binary(self, message: bytes) -> None:
        self.taken.append(message)


async def read(
    pieces: list[bytes], **options: object
) -> tuple[list[bytes], list[str | bytes], bytes]:
    """Send pieces after the upgrade.

    Returns:
        The messages read by the adapter, those that the library received, and what the client got.
    """
    made: list[Reader] = []
    received: list[str | bytes] = []

    def make(protocol: ServerProtocol, server: Server, **kept: object) -> Reader:
        made.append(Reader(protocol, server, **kept))
        return made[-1]

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                received.append(await connection.recv())

    async with serve(handle, "127.0.0.1", 0, create_connection=make, **options) as server:  # type: ignore[arg-type]
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        got = await asyncio.wait_for(reader.read(), 60)
        writer.close()
    return made[0].taken, received, got


GOODBYE = frame(8, (1000).to_bytes(2, "big"))


async def test_binary_messages_bypass_the_library() -> None:
    """They arrive in pieces, several in one piece, or between other messages and control frames."""
    long = bytes(range(256)) * 300
    whole = frame(BINARY, long)
    sent = [
        frame(BINARY, b"a") + whole[:20_000],
        whole[20_000:70_000],
        whole[70_000:] + frame(BINARY, b"") + frame(TEXT, b"text") + frame(9, b"ping"),
        frame(BINARY, b"b") + GOODBYE,
    ]
    taken, received, got = await read(sent)
    assert taken == [b"a", long, b"", b"b"]
    assert received == ["text"]
    assert got.startswith(b"\x8a\x04ping")


async def test_fragments_are_left_to_the_library() -> None:
    """A binary frame between them is against the protocol, so it closes with 1002."""
    parts = [frame(BINARY, b"one ", final=False), frame(0, b"message")]
    taken, received, _ = await read([*parts, GOODBYE])
    assert (taken, received) == ([], [b"one message"])
    taken, received, got = await read([parts[0], frame(BINARY, b"other")])
    assert (taken, received) == ([], [])
    assert (1002).to_bytes(2, "big") in got


async def test_a_binary_message_that_is_too_large_closes_with_1009() -> None:
    """The library does the same."""
    taken, received, got = await read([frame(BINARY, bytes(1001))[:100]], max_size=1000)
    assert (taken, received) == ([], [])
    assert (1009).to_bytes(2, "big") in got


async def test_nothing_is_read_after_the_close_frame() -> None:
    """A client may not send any (RFC 6455, 5.5.1)."""
    taken, received, _ = await read([GOODBYE + frame(BINARY, b"late")])
    assert (taken, received) == ([], [])
