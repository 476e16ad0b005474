"""Each kind of bad input gets its documented answer, and good input still works."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from lunapass_client import Client
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running("[LIMITS]\nframeBytes = 500000\n", workers=1) as started:
        yield started


def png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size and whose body is tiny."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


GOOD = stamped_jpeg(1, 30)
JPEG_20000 = b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 20000, 20000) + b"\x03" * 20
BAD_FRAMES = {
    "not an image": b"hello, this is no picture",
    "zero bytes": b"",
    "truncated": GOOD[: len(GOOD) // 3],
    "header only": GOOD[:20],
    "20000x20000": JPEG_20000,
    "png bomb": png(20000, 20000),
    "png within limits, body damaged": png(640, 480)[:-60],
    "too many scans": GOOD[:-2] + b"\xff\xda" * 100 + b"\xff\xd9",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_a_bad_frame_is_answered_with_code_1(service: Service, name: str) -> None:
    """The frame counts, costs no more than its size, and the next one is judged as usual."""
    async with Client(service.url) as client:
        await client.send_frame(BAD_FRAMES[name])
        answer = await client.receive()
        assert answer.command is Command.STATUS
        assert answer.body["errors"] == [1]
        assert answer.seq == 1
        await client.send_frame(stamped_jpeg(1, 30))
        assert (await client.receive()).body["isOk"]


BAD_TEXTS = {
    "text where an image is due": ("image", "message.not-json"),
    "unknown command": ('{"command":"SUDO"}', "message.unknown-command"),
    "no object": ("[1]", "message.malformed"),
    "headers of a wrong type": ('{"command":"HEARTBEAT","headers":3}', "message.malformed"),
    "too deep": ("[" * 50 + "]" * 50, "message.too-deep"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
async def test_a_bad_text_ends_the_connection(service: Service, name: str) -> None:
    """The error is named, and the connection is closed with 4000."""
    text, code = BAD_TEXTS[name]
    async with Client(service.url) as client:
        await client.socket.send(text)
        answer = await client.receive()
        assert answer.command is Command.ERROR
        assert answer.body["code"] == code
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert client.close_code == CloseCode.BAD_MESSAGE


async def test_a_message_over_the_limit_closes_with_1009(service: Service) -> None:
    """The limit is that of a frame's bytes."""
    async with Client(service.url) as client:
        await client.send_frame(b"\xff" * 600_000)
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert client.close_code == CloseCode.TOO_BIG


async def test_a_frame_before_connect_closes_with_1008(service: Service) -> None:
    """CONNECT comes first."""
    async with connect(service.url) as socket:
        await socket.send(GOOD)
        assert "connect.expected" in str(await socket.recv())
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == CloseCode.POLICY


@pytest.mark.parametrize("identity", ["0" * 32, "nonsense", "../../etc/passwd", ""])
async def test_an_invalid_session_id_is_refused(service: Service, identity: str) -> None:
    """The answer does not depend on what is wrong with it."""
    async with connect(service.url) as socket:
        headers = {"session-id": identity, "resume-token": "0" * 32}
        await socket.send(Codec.encode(Command.CONNECT, headers))
        assert "session.unknown" in str(await socket.recv())
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == CloseCode.SESSION_UNKNOWN
