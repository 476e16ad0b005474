"""Honest kiosks beside floods: their p95 with and without each, in turns, and who is refused.

    python -m benchmarks.floods [--seconds 10] [--rounds 2] [--only FLOOD]

Each kiosk has an address of its own, and a flood comes from one other. A worker sleeps for as long
as an estimation takes, so that the machine's processors are there for the gateway, the aggregator
and the clients. It fails above a ratio of 1.5, or when an honest kiosk was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import psutil
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.strangers import FLOODS
from shared.frame.estimation import Face, Image
from shared.wire.protocol import Codec, Command
from tests.support.service import ROOT, Service, running
from tests.support.stamp import StampBackend, stamped_jpeg

KIOSKS, FPS, FRAMES = 6, 4.0, 8
"""Honest kiosks, frames a second of each, and frames of a session; the last is accepted."""
ESTIMATION_SECONDS = 0.03
WORKERS = 2
MAX_RATIO = 1.5
WARM_SECONDS = 1.0
"""Of a flood before it counts."""
SETTINGS = """
[LIMITS]
frameDeadline = 5.0
connectTimeout = 5.0
"""
BACKEND = 'backend = "benchmarks.floods:PacedBackend"\n'


class PacedBackend(StampBackend):
    """Takes the time of an estimation, and none of a processor."""

    def detect(self, image: Image) -> list[Face]:
        """Wait, then answer as the stamp says."""
        time.sleep(ESTIMATION_SECONDS)
        return super().detect(image)


@dataclass
class KiosksSeen:
    """What honest kiosks saw.

    Attributes:
        milliseconds: from sending to STATUS, of each frame.
        sessions: sessions that were accepted.
        refused: what else became of sessions and frames.
    """

    milliseconds: list[float] = field(default_factory=list)
    sessions: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Milliseconds within which 95 % of the frames were answered."""
        return float(np.quantile(self.milliseconds, 0.95)) if self.milliseconds else float("inf")


async def kiosk(url: str, number: int, until: float, seen: KiosksSeen) -> None:
    """Let one person after another be accepted."""
    await asyncio.sleep(number / KIOSKS / FPS)  # not in step with each other
    while time.monotonic() < until:
        try:
            await session(url, number, seen)
            seen.sessions += 1
        except (WebSocketException, OSError, TimeoutError, AssertionError) as error:
            seen.refused.append(repr(error))
            await asyncio.sleep(1)


async def session(url: str, number: int, seen: KiosksSeen) -> None:
    """Have a session accepted, frame by frame.

    Raises:
        AssertionError: something else was answered.
    """
    address = (f"127.0.2.{number + 1}", 0)
    async with connect(url, local_addr=address, compression=None) as socket:
        await socket.send(Codec.encode(Command.CONNECT))
        await expect(socket.recv(), Command.CONNECTED)
        for frame in range(1, FRAMES + 1):
            began = time.monotonic()
            await socket.send(stamped_jpeg(number, 30 if frame == FRAMES else 1))
            await expect(socket.recv(), Command.STATUS)
            seen.milliseconds.append(1000 * (time.monotonic() - began))
            if frame < FRAMES:
                await asyncio.sleep(max(0.0, began + 1 / FPS - time.monotonic()))
        await expect(socket.recv(), Command.RESULT)


async def expect(receiving: object, command: Command) -> None:
    """Await an answer.

    Raises:
        AssertionError: it is another one.
    """
    raw = await asyncio.wait_for(receiving, 30)  # type: ignore[arg-type]  # a coroutine
    assert json.loads(raw)["command"] == command, str(raw)[:200]


async def kiosks(url: str, seconds: float, seen: KiosksSeen) -> None:
    """Run all kiosks for a while."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(kiosk(url, number, until, seen) for number in range(KIOSKS)))


@contextlib.contextmanager
def flood(name: str, url: str) -> Iterator[None]:
    """Flood from a process of its own while the block runs."""
    stranger = subprocess.Popen([sys.executable, "-m", "benchmarks.strangers", name, url], cwd=ROOT)
    try:
        time.sleep(WARM_SECONDS)
        yield
        assert stranger.poll() is None, "the flood has ended"
    finally:
        stranger.kill()
        stranger.wait()


def resident(service: Service) -> float:
    """Megabytes of the gateway."""
    return float(psutil.Process(service.pids("gateway")[0]).memory_info().rss / 1e6)


def measure(
    service: Service, name: str, seconds: float, rounds: int
) -> tuple[KiosksSeen, KiosksSeen]:
    """What kiosks see without a flood, and with it, in turns."""
    quiet, flooded = KiosksSeen(), KiosksSeen()
    for _ in range(rounds):
        uvloop.run(kiosks(service.url, seconds, quiet))
        with flood(name, service.url):
            uvloop.run(kiosks(service.url, seconds, flooded))
        time.sleep(WARM_SECONDS)
    return quiet, flooded


def main() -> int:
    """Measure every flood, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=2, help="turns without and with each flood")
    parser.add_argument("--only", choices=FLOODS, action="append", help="floods to measure")
    asked = parser.parse_args()
    failed = False
    print("flood             p95 without   with     ratio   frames  refused  gateway MB")
    with running(SETTINGS, workers=WORKERS, worker_settings=BACKEND) as up:
        for name in asked.only or FLOODS:
            quiet, flooded = measure(up, name, asked.seconds, asked.rounds)
            ratio = flooded.p95 / quiet.p95
            refused = [*quiet.refused, *flooded.refused]
            failed |= ratio > MAX_RATIO or bool(refused)
            print(
                f"{name:16} {quiet.p95:8.1f} ms {flooded.p95:8.1f} ms {ratio:6.2f}"
                f" {len(flooded.milliseconds):8} {len(refused):8} {resident(up):11.0f}",
                flush=True,
            )
            for reason in refused[:3]:
                print(f"    {reason}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
