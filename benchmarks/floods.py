"""Latency (p95) of honest kiosks with and without each flood, and their refusals.

    python -m benchmarks.floods [--seconds 10] [--rounds 2] [--workers 4] [--only FLOOD]

A round measures the kiosks without a flood, then with each flood in turn. Each kiosk has its own
address, and a flood comes from one other address. A worker sleeps for the time of an estimation, so
that gateway, aggregator and clients can use all CPUs. The benchmark fails above a ratio of 1.5, or
if an honest kiosk was refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
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
"""Honest kiosks, frames per second of each, and frames per session; the last one is accepted."""
ESTIMATION_SECONDS = 0.03
WORKERS = 4
"""With two, a flood that keeps both busy delays a kiosk's frame by up to 23 ms (p95) until one is
free, which alone is a ratio of 1.6."""
MAX_RATIO = 1.5
WARM_SECONDS = 1.0
"""Time of a flood before the measurement."""
SETTINGS = """
[LIMITS]
frameDeadline = 5.0
connectTimeout = 5.0
"""
BACKEND = 'backend = "benchmarks.floods:PacedBackend"\n'


class PacedBackend(StampBackend):
    """Takes the time of an estimation without using a CPU."""

    def detect(self, image: Image) -> list[Face]:
        """Sleep, then read the stamp."""
        time.sleep(ESTIMATION_SECONDS)
        return super().detect(image)


@dataclass
class KiosksSeen:
    """Measurements of honest kiosks.

    Attributes:
        milliseconds: from sending to STATUS, of each frame.
        sessions: sessions that were accepted.
        refused: errors of the other sessions.
    """

    milliseconds: list[float] = field(default_factory=list)
    sessions: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Milliseconds within which 95 % of the frames were answered."""
        return float(np.quantile(self.milliseconds, 0.95)) if self.milliseconds else float("inf")


async def kiosk(url: str, number: int, until: float, seen: KiosksSeen) -> None:
    """Run one session after another."""
    await asyncio.sleep(number / KIOSKS / FPS)  # so that kiosks do not send at the same moments
    while time.monotonic() < until:
        try:
            await session(url, number, seen)
            seen.sessions += 1
        except (WebSocketException, OSError, TimeoutError, AssertionError) as error:
            seen.refused.append(repr(error))
            await asyncio.sleep(1)


async def session(url: str, number: int, seen: KiosksSeen) -> None:
    """Run a session to its acceptance.

    Raises:
        AssertionError: the service gave another answer.
    """
    address = (f"127.0.2.{number + 1}", 0)
    async with connect(url, local_addr=address, compression=None) as socket:
        await socket.send(Codec.encode(Command.CONNECT))
        await expect(socket.recv(), Command.CONNECTED)
        for frame in range(1, FRAMES + 1):
            start = time.monotonic()
            await socket.send(stamped_jpeg(number, 30 if frame == FRAMES else 1))
            await expect(socket.recv(), Command.STATUS)
            seen.milliseconds.append(1000 * (time.monotonic() - start))
            if frame < FRAMES:
                await asyncio.sleep(max(0.0, start + 1 / FPS - time.monotonic()))
        await expect(socket.recv(), Command.RESULT)


async def expect(receiving: object, command: Command) -> None:
    """Wait for an answer.

    Raises:
        AssertionError: it is another command.
    """
    raw = await asyncio.wait_for(receiving, 30)  # type: ignore[arg-type]  # a coroutine
    assert json.loads(raw)["command"] == command, str(raw)[:200]


async def kiosks(url: str, seconds: float, seen: KiosksSeen) -> None:
    """Run all kiosks for some seconds."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(kiosk(url, number, until, seen) for number in range(KIOSKS)))


@contextlib.contextmanager
def flood(name: str, url: str) -> Iterator[None]:
    """Flood from a separate process while the block runs."""
    stranger = subprocess.Popen([sys.executable, "-m", "benchmarks.strangers", name, url], cwd=ROOT)
    try:
        time.sleep(WARM_SECONDS)
        yield
        assert stranger.poll() is None, "the flood has ended"
    finally:
        stranger.kill()
        stranger.wait()


def resident(service: Service) -> float:
    """Resident megabytes of the gateway."""
    return float(psutil.Process(service.pids("gateway")[0]).memory_info().rss / 1e6)


def measure(
    service: Service, floods: Sequence[str], seconds: float, rounds: int
) -> tuple[KiosksSeen, dict[str, KiosksSeen]]:
    """Measure kiosks without a flood and with each, in alternation."""
    quiet, flooded = KiosksSeen(), {name: KiosksSeen() for name in floods}
    for _ in range(rounds):
        uvloop.run(kiosks(service.url, seconds, quiet))
        for name, seen in flooded.items():
            with flood(name, service.url):
                uvloop.run(kiosks(service.url, seconds, seen))
            time.sleep(WARM_SECONDS)
    return quiet, flooded


def row(name: str, seen: KiosksSeen, quiet: KiosksSeen) -> str:
    """Format a row of the table."""
    ratio = seen.p95 / quiet.p95
    frames, refused = len(seen.milliseconds), len(seen.refused)
    return f"{name:16} {seen.p95:8.1f} ms {ratio:8.2f} {frames:8} {seen.sessions:9} {refused:8}"


def main() -> int:
    """Measure every flood and print the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each run")
    parser.add_argument("--rounds", type=int, default=2, help="runs without and with each flood")
    parser.add_argument("--workers", type=int, default=WORKERS, help="inference workers")
    parser.add_argument("--only", choices=FLOODS, action="append", help="floods to measure")
    asked = parser.parse_args()
    with running(SETTINGS, workers=asked.workers, worker_settings=BACKEND) as up:
        quiet, flooded = measure(up, asked.only or list(FLOODS), asked.seconds, asked.rounds)
        megabytes = resident(up)
    print(f"{'flood':16} {'p95':>11} {'ratio':>8} {'frames':>8} {'sessions':>9} {'refused':>8}")
    print(row("none", quiet, quiet))
    for name, seen in flooded.items():
        print(row(name, seen, quiet))
    print(f"gateway: {megabytes:.0f} MB at the end")
    refused = [reason for seen in (quiet, *flooded.values()) for reason in seen.refused]
    for reason in refused[:10]:
        print(f"refused: {reason}")
    slow = any(seen.p95 > MAX_RATIO * quiet.p95 for seen in flooded.values())
    return int(slow or bool(refused))


if __name__ == "__main__":
    sys.exit(main())
