"""4. Capacity: sessions with 5 frames per second that each run all models, p95 below 200 ms.

A dropped frame counts as late, and no session may fail. The result is divided by the number of
worker CPUs; gateway, aggregator and clients share the other CPUs.
"""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from benchmarks.setting import GALLERY, NEVER_DONE, WORKERS, gallery, on_other_cpus, service
from loadtest.capacity import TriedSize, largest_good, search, try_size
from loadtest.plan import Plan

FPS, BOUND = 5.0, 0.2
WARM, SECONDS = 2.0, 8.0
FIRST = 12


def run() -> dict[str, Any]:
    """Measure."""
    gallery()
    with service(NEVER_DONE) as started, on_other_cpus():
        tried, busy = asyncio.run(_search(started.url, GALLERY))
    found = largest_good(tried)
    best = found.people if found else 0
    cores = busy.get(best, 0.0)
    return {
        "capacity_sessions_per_core": best / WORKERS,
        "sessions": best,
        "sessions_per_busy_core": best / cores if cores else 0.0,
        "tried": [dataclasses.asdict(probe) for probe in tried],
    }


async def _search(url: str, frames: Path) -> tuple[list[TriedSize], dict[int, float]]:
    busy: dict[int, float] = {}

    async def probe(people: int) -> TriedSize:
        plan = Plan(url, fps=FPS, prepare=0.0, seed=people)
        found, outcome = await try_size(plan, people, frames, 1, BOUND, warm=WARM, seconds=SECONDS)
        percents = outcome.watch.cpu_percent(outcome.started).values()
        middle = [[used for at, used in line if WARM < at < WARM + SECONDS] for line in percents]
        busy[people] = sum(sum(used) / len(used) for used in middle if used) / 100
        return found

    return await search(probe, first=FIRST * WORKERS, growth=1.3, precision=0.04), busy
