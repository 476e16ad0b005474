"""6. Growth: CPU with the same frame rate over more and more sessions; memory per session.

The workers only read stamps, so that the plumbing is measured. Memory is that of gateway and
aggregator together, between the smallest and the largest number of sessions, after a frame of each.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import psutil
import uvloop

from benchmarks.driver import DrivenSession, Seen
from benchmarks.plumbing import cpu
from benchmarks.setting import on_other_cpus, service
from loadtest.synthetic.sensor import Exposures
from lunapass_client import Client
from tests.support.service import Service
from tests.support.stamp import stamped_jpeg

CROWDS = (1, 10, 100, 1000)
PACE, SECONDS = 100.0, 6.0
ROLES = ("gateway", "aggregator")


def memory(service: Service) -> int:
    """Unique memory (USS) of gateway and aggregator in bytes, which grows with the sessions."""
    infos = [psutil.Process(service.pids(role)[0]).memory_full_info() for role in ROLES]
    return int(sum(info.uss for info in infos))


async def crowd(service: Service, size: int) -> dict[str, float]:
    """Connect a crowd, let each session send a frame, then send at the common rate."""
    shots = [Exposures.of_file(stamped_jpeg(number, 1)).shot for number in range(16)]
    seen = Seen(seconds=SECONDS)
    async with AsyncExitStack() as stack:
        lines = [
            DrivenSession(await stack.enter_async_context(Client(service.url))) for _ in range(size)
        ]
        for number, line in enumerate(lines):
            await line.judge(shots[number % 16]())
        before = {role: cpu(service.pids(role)[0]) for role in ROLES}
        start = time.perf_counter()
        in_flight = []
        for number in range(int(PACE * SECONDS)):
            due = start + number / PACE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            line = lines[number % size]
            in_flight.append(asyncio.create_task(_one(seen, line, shots[number % 16](), due)))
        await asyncio.gather(*in_flight)
        used = [cpu(service.pids(role)[0]).since(before[role]) for role in ROLES]
        plumbing = used[0].main_thread + used[1].main_thread + used[1].other_threads
        return {
            "sessions": size,
            "fps": len(seen.milliseconds) / (time.perf_counter() - start),
            "cpu_us_per_frame": 1e6 * plumbing / max(1, len(seen.milliseconds)),
            "p99_ms": seen.percentile(0.99),
            "bytes": float(memory(service)),
        }


async def _one(seen: Seen, line: DrivenSession, frame: bytes, due: float) -> None:
    if await line.judge(frame):
        seen.milliseconds.append(1000 * (time.perf_counter() - due))
    else:
        seen.lost += 1


def run() -> dict[str, Any]:
    """Measure."""
    with service(real=False) as started, on_other_cpus():
        rows = [uvloop.run(crowd(started, size)) for size in CROWDS]
    few, many = rows[0], rows[-1]
    grown = (many["bytes"] - few["bytes"]) / (many["sessions"] - few["sessions"])
    return {"bytes_per_session": grown, "growth": rows}
