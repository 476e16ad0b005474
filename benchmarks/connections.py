"""Memory of idle connections: resident bytes of the gateway before and after 2,000 clients.

Each client has a session and waits. ``python -m benchmarks.connections [CLIENTS]`` prints the bytes
per client and fails above the goal of 40 KB.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import psutil
from websockets.asyncio.client import ClientConnection, connect

from shared.wire.protocol import Codec, Command
from tests.support.service import Service, running

GOAL = 40_000
TOGETHER = 50
SETTINGS = """
[LIMITS]
sessions = 10000
connections = 10000
sessionsPerAddress = 10000
handshakesPerSecond = 10000.0
handshakesPerAddress = 10000.0
idleSeconds = 600.0
"""


async def settled(gateway: psutil.Process) -> int:
    """Resident bytes of the gateway, once they no longer change."""
    before, now = -1, gateway.memory_info().rss
    while before != now:
        await asyncio.sleep(1)
        before, now = now, gateway.memory_info().rss
    return int(now)


async def client(stack: AsyncExitStack, service: Service) -> None:
    """Open a connection and a session, and keep it open."""
    socket: ClientConnection = await stack.enter_async_context(
        connect(service.url, compression=None, ping_interval=None)
    )
    await socket.send(Codec.encode(Command.CONNECT))
    await socket.recv()


async def measure(service: Service, clients: int) -> float:
    """Bytes per idle client."""
    gateway = psutil.Process(service.pids("gateway")[0])
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(client(stack, service) for _ in range(TOGETHER)))  # warm up
        before = await settled(gateway)
        for _ in range(clients // TOGETHER):
            await asyncio.gather(*(client(stack, service) for _ in range(TOGETHER)))
        after = await settled(gateway)
        await stack.aclose()
    return (after - before) / clients


def main() -> int:
    """Measure and print."""
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with running(SETTINGS, workers=1) as service:
        each = asyncio.run(measure(service, clients))
    print(f"{clients} idle connections: {each / 1000:.1f} KB each in the gateway")
    return 0 if each <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
