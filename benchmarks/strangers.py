"""Floods for ``benchmarks.floods``: each takes as much as one address can get.

``python -m benchmarks.strangers FLOOD URL`` floods until it is killed. A client that is refused or
disconnected connects again.
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

from lunapass_client.websocket_adapter import transport_of
from shared.wire.protocol import Codec, Command
from tests.support.stamp import stamped_jpeg

ADDRESS = "127.0.1.1"
"""Differs from those of honest clients; every address of 127.0.0.0/8 is this machine."""
FRAME_BYTES = 3_900_000
"""Just below the default of LIMITS.frameBytes."""
SESSIONS = 60
MANY_SESSIONS = 190
"""Just below the default of LIMITS.sessionsPerAddress."""
UPLOADERS = 10
HANDSHAKES = 400
"""Handshakes per second."""
SHORT_SESSIONS = 20
"""Concurrent sessions."""

Flood = Callable[[str], Awaitable[None]]
Next = Callable[[], bytes]


def opened(url: str) -> connect:
    """Open a connection from ``ADDRESS``."""
    return connect(
        url,
        local_addr=(ADDRESS, 0),
        compression=None,
        ping_interval=None,
        max_size=None,
        open_timeout=20,
    )


async def attempt(doing: Awaitable[None]) -> None:
    """Await something that the service may refuse or disconnect, then pause briefly."""
    with contextlib.suppress(WebSocketException, OSError, TimeoutError):
        await doing
    await asyncio.sleep(0.05)


async def granted(socket: ClientConnection) -> None:
    """Start a session."""
    await socket.send(Codec.encode(Command.CONNECT))
    await socket.recv()


async def at_pace(url: str, frame: Next, fps: float) -> None:
    """Send frames at a rate, whatever the answers."""
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
    """60 sessions with frames of one byte, 30 per second each."""
    await _crowd(SESSIONS, lambda: at_pace(url, lambda: b"x", 30))


def padded(jpeg: bytes) -> bytes:
    """A JPEG with comments before its image data, of almost the maximum size of a frame."""
    comment = b"\xff\xfe\xff\xff" + bytes(65_533)
    return jpeg[:2] + comment * ((FRAME_BYTES - len(jpeg)) // len(comment)) + jpeg[2:]


async def padding(url: str) -> None:
    """10 sessions with small images and megabytes of comments, as fast as the line allows."""
    numbers: Iterator[int] = itertools.count()
    await _crowd(
        UPLOADERS, lambda: at_pace(url, lambda: padded(stamped_jpeg(9, next(numbers) % 20)), 10)
    )


def segmented() -> bytes:
    """A progressive JPEG with 180 comments before its last scan, one of them full of scan markers.

    The markers let the gateway count the scans properly, from segment to segment.
    """
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    progressive = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    jpeg = cv2.imencode(".jpg", noise, progressive)[1].tobytes()
    comments = [b"\xff\xda" * 32_000, *[b"ab"] * 180]
    segments = b"".join(
        b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment for comment in comments
    )
    at = jpeg.rindex(b"\xff\xda")
    return jpeg[:at] + segments + jpeg[at:]


async def segments(url: str) -> None:
    """10 sessions with JPEGs of 69 kB and many segments, 30 per second each."""
    frame = segmented()
    await _crowd(UPLOADERS, lambda: at_pace(url, lambda: frame, 30))


async def handshakes(url: str) -> None:
    """400 handshakes per second, without a session."""

    async def handshake() -> None:
        async with opened(url):
            pass

    in_flight: set[asyncio.Task[None]] = set()
    while True:
        if len(in_flight) < HANDSHAKES:
            task = asyncio.create_task(attempt(handshake()))
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
        await asyncio.sleep(1 / HANDSHAKES)


async def refused_uploads(url: str) -> None:
    """10 sessions that upload megabytes that are not an image, as fast as the line allows."""
    noise = os.urandom(FRAME_BYTES)
    await _crowd(UPLOADERS, lambda: at_pace(url, lambda: noise, 10))


def large_png() -> bytes:
    """A PNG of almost the maximum size of a frame, all of it pixels."""
    noise = np.random.default_rng(1).integers(0, 256, (900, 1400, 3), np.uint8)
    encoded = cv2.imencode(".png", noise)[1].tobytes()
    assert FRAME_BYTES - 500_000 < len(encoded) < FRAME_BYTES
    return encoded


async def short_sessions(url: str) -> None:
    """20 concurrent sessions that send one frame of 4 MB and disconnect."""
    frame = large_png()

    async def session() -> None:
        async with opened(url) as socket:
            await granted(socket)
            await socket.send(frame)
            transport_of(socket).abort()

    await _crowd(SHORT_SESSIONS, session)


async def many_sessions(url: str) -> None:
    """190 sessions with frames like those of kiosks, 10 per second each."""
    frames = itertools.cycle([stamped_jpeg(9, 1) for _ in range(2000)])
    await _crowd(MANY_SESSIONS, lambda: at_pace(url, lambda: next(frames), 10))


FLOODS: dict[str, Flood] = {
    flood.__name__.replace("_", "-"): flood
    for flood in (
        one_byte,
        padding,
        segments,
        handshakes,
        refused_uploads,
        short_sessions,
        many_sessions,
    )
}


if __name__ == "__main__":
    os.nice(19)  # an attacker has other CPUs; here the flood gets only idle time
    uvloop.run(FLOODS[sys.argv[1]](sys.argv[2]))  # type: ignore[arg-type]  # a coroutine
