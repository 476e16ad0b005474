"""One session over a slow line, by a client of the checkout that runs this; prints its result.

    python slow_line_client.py KIND URL FRAMES

FRAMES is a folder of images of a live person, sent one after another; the first judged one is
accepted. KIND is asynchronous, synchronous or bare (a program that only sends the commands).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from lunapass_client import Client, NoVerdict, SyncClient, Verdict
from shared.wire.protocol import Codec, Command

connections = 0


class CountingClient(Client):
    """Counts its connections."""

    async def _connect(self) -> Any:
        global connections
        connections += 1
        return await super()._connect()


class CountingSyncClient(SyncClient):
    """Counts its connections."""

    def _connect(self) -> Any:
        global connections
        connections += 1
        return super()._connect()


async def asynchronous(url: str, frames: list[bytes]) -> Verdict:
    """Check with the asynchronous client."""
    async with CountingClient(url, resumes=20) as client:
        return await client.check(frames)


def synchronous(url: str, frames: list[bytes]) -> Verdict:
    """Check with the synchronous client."""
    with CountingSyncClient(url, resumes=20) as client:
        return client.check(frames)


async def bare(url: str, frames: list[bytes]) -> Verdict:
    """Check with bare commands, on one connection."""
    global connections
    connections = 1
    async with connect(url, ping_interval=None, max_size=None) as line:
        await line.send(Codec.encode(Command.CONNECT))
        await line.recv()
        await line.send(frames[0])
        while (message := json.loads(await line.recv()))["command"] != "RESULT":
            pass
    return Verdict(message["body"]["isOk"], message["body"]["jwt"], ())


def main() -> None:
    """Run one session."""
    kind, url, path = sys.argv[1:]
    frames = [file.read_bytes() for file in sorted(Path(path).iterdir())]
    start = time.perf_counter()
    token = None
    try:
        if kind == "synchronous":
            verdict = synchronous(url, frames)
        else:
            check = asynchronous if kind == "asynchronous" else bare
            verdict = asyncio.run(check(url, frames))
        token = verdict.token
    except (NoVerdict, OSError) as error:
        print(error, file=sys.stderr)
    seconds = time.perf_counter() - start
    print(json.dumps([token is not None, seconds, connections]))


if __name__ == "__main__":
    main()
