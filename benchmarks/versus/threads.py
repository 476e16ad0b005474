"""(a) One asyncio process that decodes and judges frames in a thread pool."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.versus.judging import PORT, WORKERS, judge_jpeg, prepare


async def main() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(WORKERS, initializer=prepare)

    async def handle(socket: ServerConnection) -> None:
        async for frame in socket:
            await socket.send(await loop.run_in_executor(pool, judge_jpeg, frame))

    async with serve(handle, "127.0.0.1", PORT, compression=None, ping_interval=None):
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main())
