"""Cells of one machine: frames per second and CPU per frame, by number of cells and workers.

Every session sends frames of a person who looks straight into the camera, each as soon as the
previous one is answered. The liveness threshold is out of reach, so that all stages run on every
frame. Needs the real models.

    python -m benchmarks.cells [SECONDS] [SESSIONS_PER_WORKER]
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.setting import passing_shots
from lunapass_client import Client
from shared.wire.protocol import Command
from tests.support.service import ROOT, UNPACED, Service, free_port, running

LAYOUTS = ((1, 1), (1, 2), (2, 2))
"""Cells and workers of each run."""
ROLES = ("gateway", "aggregator", "worker")


@dataclass(frozen=True)
class CellsRun:
    """One run.

    Attributes:
        rate: answered frames per second.
        latency: median milliseconds from sending a frame to its status.
        cpu: milliseconds of CPU per frame, by role.
        spread: sessions by cell.
    """

    rate: float
    latency: float
    cpu: dict[str, float]
    spread: Counter[str]


def settings(cells: int) -> str:
    """Configuration of a run, starting in the section TRANSPORT."""
    return (
        f"cells = {cells}\ncellPort = {free_port()}\n{UNPACED}"
        f'[MODELS]\ndirectory = "{ROOT}/models"\n'
        "[LIVENESS.THRESHOLDS]\nlivenessScore = 1.0\n"
    )


def cpu_seconds(service: Service) -> dict[str, float]:
    """CPU used so far, by role."""
    used: dict[str, float] = {}
    for role in ROLES:
        times = [psutil.Process(pid).cpu_times() for pid in service.pids(role)]
        used[role] = sum(spent.user + spent.system for spent in times)
    return used


async def measure(service: Service, seconds: float, sessions: int) -> CellsRun:
    """Load a service and measure it."""
    shots = passing_shots()
    latencies: list[float] = []
    spread: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def session() -> None:
        async with Client(service.url) as client:
            spread[str(client.session_id)[:2]] += 1
            for number in itertools.count():
                if (sent := time.monotonic()) > end:
                    return
                await client.send_frame(shots[number % len(shots)]())
                answer = await client.receive()
                if answer.command is Command.STATUS:
                    latencies.append(time.monotonic() - sent)

    before = cpu_seconds(service)
    start = time.monotonic()
    await asyncio.gather(*(session() for _ in range(sessions)))
    passed = time.monotonic() - start
    after = cpu_seconds(service)
    cpu = {role: (after[role] - before[role]) * 1000 / len(latencies) for role in ROLES}
    median = sorted(latencies)[len(latencies) // 2] * 1000
    return CellsRun(len(latencies) / passed, median, cpu, spread)


def main(seconds: float = 8, per_worker: int = 4) -> None:
    """Measure each layout and print a table."""
    print(
        "cells workers  frames/s  median ms   CPU ms a frame: " + "  ".join(ROLES) + "   sessions"
    )
    for cells, workers in LAYOUTS:
        with running(settings(cells), workers=workers, worker_settings='backend = "onnx"') as up:
            result = uvloop.run(measure(up, seconds, per_worker * workers))
        spent = "  ".join(f"{result.cpu[role]:{len(role)}.2f}" for role in ROLES)
        print(
            f"{cells:5} {workers:7} {result.rate:9.1f} {result.latency:10.1f} "
            f"{'':17}{spent}   {dict(sorted(result.spread.items()))}"
        )


if __name__ == "__main__":
    assert Path("models").is_dir(), "run it where models/ is"
    main(*(float(word) if at == 0 else int(word) for at, word in enumerate(sys.argv[1:])))  # type: ignore[arg-type]
