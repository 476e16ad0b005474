"""6. Growth: the same frames spread over more and more sessions; memory of each session.

With stamp workers, so that the plumbing is what is seen. Memory is that of gateway and aggregator
together, from the fewest sessions to the most, each of which has sent a frame.
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
from lunapass.client import Client
from tests.support.service import Service
from tests.support.stamp import stamped_jpeg

CROWDS = (1, 10, 100, 1000)
PACE, SECONDS = 100.0, 6.0
ROLES = ("gateway", "aggregator")


def memory(service: Service) -> int:
    """Resident bytes of gateway and aggregator that are no file's, as more sessions change."""
    infos = [psutil.Process(service.pids(role)[0]).memory_full_info() for role in ROLES]
    return int(sum(info.uss for info in infos))


async def crowd(service: Service, size: int) -> dict[str, float]:
    """Connect a crowd, let each send a frame, then keep the common pace."""
    shots = [Exposures.of_file(stamped_jpeg(number, 1)).shot for number in range(16)]
    seen = Seen(seconds=SECONDS)
    async with AsyncExitStack() as stack:
        lines = [
            DrivenSession(await stack.enter_async_context(Client(service.url))) for _ in range(size)
        ]
        for number, line in enumerate(lines):
            await line.judge(shots[number % 16]())
        before = {role: cpu(service.pids(role)[0]) for role in ROLES}
        began = time.perf_counter()
        under_way = []
        for number in range(int(PACE * SECONDS)):
            due = began + number / PACE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            line = lines[number % size]
            under_way.append(asyncio.create_task(_one(seen, line, shots[number % 16](), due)))
        await asyncio.gather(*under_way)
        used = [cpu(service.pids(role)[0]).since(before[role]) for role in ROLES]
        plumbing = used[0].main_thread + used[1].main_thread + used[1].other_threads
        return {
            "sessions": size,
            "fps": len(seen.milliseconds) / (time.perf_counter() - began),
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
