"""Memory after many short sessions with large frames: resident bytes of the gateway.

``python -m benchmarks.short_sessions [SESSIONS]`` lets 1,000 clients of one address each send a
frame of 4 MB and disconnect. It prints the gateway's memory before, at the peak and after all
sessions have expired, and fails if it grew by more than 100 MB.
"""

from __future__ import annotations

import asyncio
import sys

import psutil
import uvloop

from benchmarks.connections import settled
from benchmarks.strangers import attempt, granted, large_png, opened
from lunapass_client.websocket_adapter import transport_of
from tests.support.service import Service, running

GOAL_MB = 100
TOGETHER = 20
EXPIRY_SECONDS = 15.0
"""Time for sessions to expire and memory to be freed."""
SETTINGS = """
[LIMITS]
handshakesPerSecond = 10000.0
handshakesPerAddress = 10000.0
sessionsPerAddress = 10000
sessions = 10000
resumeSeconds = 3.0
"""


async def visit(url: str, frame: bytes) -> None:
    """Send a frame and drop the connection."""
    async with opened(url) as socket:
        await granted(socket)
        await socket.send(frame)
        transport_of(socket).abort()


async def measure(service: Service, sessions: int) -> tuple[float, float, float]:
    """Megabytes before, at the peak and after."""
    gateway = psutil.Process(service.pids("gateway")[0])
    frame, free = large_png(), asyncio.Semaphore(TOGETHER)
    sizes = [await settled(gateway)]

    async def one() -> None:
        async with free:
            await attempt(visit(service.url, frame))
            sizes.append(gateway.memory_info().rss)

    await asyncio.gather(*(one() for _ in range(sessions)))
    while service.get("/statistics").json()["sessions"]["open"]:
        await asyncio.sleep(1)
        sizes.append(gateway.memory_info().rss)
    await asyncio.sleep(EXPIRY_SECONDS)
    return sizes[0] / 1e6, max(sizes) / 1e6, await settled(gateway) / 1e6


def main() -> int:
    """Measure and print."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with running(SETTINGS, workers=1) as service:
        before, peak, after = uvloop.run(measure(service, sessions))
    print(f"{sessions} sessions: {before:.0f} MB before, {peak:.0f} at the peak, {after:.0f} after")
    return 0 if after - before <= GOAL_MB else 1


if __name__ == "__main__":
    sys.exit(main())
