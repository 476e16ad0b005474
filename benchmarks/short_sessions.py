"""Memory after many short sessions with large frames: resident bytes of the gateway.

``python -m benchmarks.short_sessions [SESSIONS]`` lets 1,000 clients of one address send a frame of
4 MB each and leave. It prints the gateway's memory before, at its most, and once all are forgotten,
and fails where more than 100 MB stay.
"""

from __future__ import annotations

import asyncio
import sys

import psutil
import uvloop

from benchmarks.connections import settled
from benchmarks.strangers import attempt, granted, large_picture, opened
from shared.wire.websocket_adapter import transport_of
from tests.support.service import Service, running

GOAL_MB = 100
TOGETHER = 20
FORGOTTEN_SECONDS = 15.0
"""For sessions to be forgotten and memory to be given back."""
SETTINGS = """
[LIMITS]
handshakesPerSecond = 10000.0
handshakesPerAddress = 10000.0
sessionsPerAddress = 10000
sessions = 10000
resumeSeconds = 3.0
"""


async def visit(url: str, picture: bytes) -> None:
    """Send a frame, and leave without a word."""
    async with opened(url) as socket:
        await granted(socket)
        await socket.send(picture)
        transport_of(socket).abort()


async def measure(service: Service, sessions: int) -> tuple[float, float, float]:
    """Megabytes before, at most, and after."""
    gateway = psutil.Process(service.pids("gateway")[0])
    picture, free = large_picture(), asyncio.Semaphore(TOGETHER)
    sizes = [await settled(gateway)]

    async def one() -> None:
        async with free:
            await attempt(visit(service.url, picture))
            sizes.append(gateway.memory_info().rss)

    await asyncio.gather(*(one() for _ in range(sessions)))
    while service.get("/statistics").json()["sessions"]["open"]:
        await asyncio.sleep(1)
        sizes.append(gateway.memory_info().rss)
    await asyncio.sleep(FORGOTTEN_SECONDS)
    return sizes[0] / 1e6, max(sizes) / 1e6, await settled(gateway) / 1e6


def main() -> int:
    """Measure and print."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with running(SETTINGS, workers=1) as service:
        before, most, after = uvloop.run(measure(service, sessions))
    print(f"{sessions} sessions: {before:.0f} MB before, {most:.0f} at most, {after:.0f} after")
    return 0 if after - before <= GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())
