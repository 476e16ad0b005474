"""(b) One asyncio process that decodes in threads; a ProcessPoolExecutor judges pickled frames."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.versus.judging import PORT, WORKERS, decode, judge, prepare


async def main() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    pool = ProcessPoolExecutor(
        WORKERS, mp_context=multiprocessing.get_context("spawn"), initializer=prepare
    )

    async def handle(socket: ServerConnection) -> None:
        async for frame in socket:
            image = await loop.run_in_executor(None, decode, frame)
            await socket.send(await loop.run_in_executor(pool, judge, image))

    async with serve(handle, "127.0.0.1", PORT, compression=None, ping_interval=None):
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main())
