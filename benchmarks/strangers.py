"""Floods by strangers, for ``benchmarks.floods``: each takes what one address can get.

``python -m benchmarks.strangers FLOOD URL`` floods until it is ended. A stranger who is refused
or cut comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import Awaitable, Callable, Iterator

import cv2
import numpy as np
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from shared.wire.protocol import Codec, Command
from shared.wire.websocket_adapter import transport_of
from tests.support.stamp import stamped_jpeg

ADDRESS = "127.0.1.1"
"""Another one than those of honest clients; every address of 127.0.0.0/8 is this machine."""
FRAME_BYTES = 3_900_000
"""Just below the default of LIMITS.frameBytes."""
SESSIONS = 60
MANY_SESSIONS = 190
"""Just below the default of LIMITS.sessionsPerAddress."""
UPLOADERS = 10
HANDSHAKES = 400
"""In a second."""
SHORT_SESSIONS = 20
"""At a time."""

Flood = Callable[[str], Awaitable[None]]
Next = Callable[[], bytes]


def opened(url: str) -> connect:
    """Open a connection from the stranger's address."""
    return connect(
        url,
        local_addr=(ADDRESS, 0),
        compression=None,
        ping_interval=None,
        max_size=None,
        open_timeout=20,
    )


async def attempt(doing: Awaitable[None]) -> None:
    """Do something that the service may refuse or cut; then wait a little."""
    with contextlib.suppress(WebSocketException, OSError, TimeoutError):
        await doing
    await asyncio.sleep(0.05)


async def granted(socket: ClientConnection) -> None:
    """Have a session."""
    await socket.send(Codec.encode(Command.CONNECT))
    await socket.recv()


async def at_pace(url: str, frame: Next, fps: float) -> None:
    """Send frames at a pace, whatever is answered."""
    async with opened(url) as socket:
        await granted(socket)
        ignored = asyncio.create_task(_ignore(socket))
        try:
            while True:
                await socket.send(frame())
                await asyncio.sleep(1 / fps)
        finally:
            ignored.cancel()


async def _ignore(socket: ClientConnection) -> None:
    with contextlib.suppress(WebSocketException):
        async for _ in socket:
            pass


async def _always(doing: Callable[[], Awaitable[None]]) -> None:
    while True:
        await attempt(doing())


async def _crowd(count: int, doing: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(_always(doing) for _ in range(count)))


async def one_byte(url: str) -> None:
    """60 sessions with frames of one byte, 30 a second each."""
    await _crowd(SESSIONS, lambda: at_pace(url, lambda: b"x", 30))


def padded(picture: bytes) -> bytes:
    """A JPEG with comments in front of its picture, up to the bytes that a frame may have."""
    comment = b"\xff\xfe\xff\xff" + bytes(65_533)
    return picture[:2] + comment * ((FRAME_BYTES - len(picture)) // len(comment)) + picture[2:]


async def padding(url: str) -> None:
    """10 sessions with small pictures in megabytes of comments, as fast as the line takes them."""
    numbers: Iterator[int] = itertools.count()
    await _crowd(
        UPLOADERS, lambda: at_pace(url, lambda: padded(stamped_jpeg(9, next(numbers) % 20)), 10)
    )


async def handshakes(url: str) -> None:
    """400 handshakes a second, without a session."""

    async def handshake() -> None:
        async with opened(url):
            pass

    under_way: set[asyncio.Task[None]] = set()
    while True:
        if len(under_way) < HANDSHAKES:
            task = asyncio.create_task(attempt(handshake()))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.sleep(1 / HANDSHAKES)


async def refused_uploads(url: str) -> None:
    """10 sessions that upload megabytes which are no picture, as fast as the line takes them."""
    noise = os.urandom(FRAME_BYTES)
    await _crowd(UPLOADERS, lambda: at_pace(url, lambda: noise, 10))


def large_picture() -> bytes:
    """A picture of almost as many bytes as a frame may have, all of them pixels."""
    noise = np.random.default_rng(1).integers(0, 256, (900, 1400, 3), np.uint8)
    encoded = cv2.imencode(".png", noise)[1].tobytes()
    assert FRAME_BYTES - 500_000 < len(encoded) < FRAME_BYTES
    return encoded


async def short_sessions(url: str) -> None:
    """20 sessions at a time that send one frame of 4 MB and are gone."""
    picture = large_picture()

    async def session() -> None:
        async with opened(url) as socket:
            await granted(socket)
            await socket.send(picture)
            transport_of(socket).abort()

    await _crowd(SHORT_SESSIONS, session)


async def many_sessions(url: str) -> None:
    """190 sessions with frames like those of kiosks, 10 a second each."""
    frames = itertools.cycle([stamped_jpeg(9, 1) for _ in range(2000)])
    await _crowd(MANY_SESSIONS, lambda: at_pace(url, lambda: next(frames), 10))


FLOODS: dict[str, Flood] = {
    flood.__name__.replace("_", "-"): flood
    for flood in (one_byte, padding, handshakes, refused_uploads, short_sessions, many_sessions)
}


if __name__ == "__main__":
    os.nice(19)  # a stranger brings processors of their own; here it takes what is left
    uvloop.run(FLOODS[sys.argv[1]](sys.argv[2]))  # type: ignore[arg-type]  # a coroutine
