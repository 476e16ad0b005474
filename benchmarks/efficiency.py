"""1. Efficiency: frames per second of the pipeline over workers x bare loop on the same CPUs.

Bare loop and pipeline alternate, so that changes of the machine's speed affect both; the result is
the median of the ratios of neighbouring runs.
"""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop

from benchmarks import bare
from benchmarks.driver import saturate, to_service
from benchmarks.setting import (
    NEVER_DONE,
    WORKER_CPUS,
    WORKERS,
    on_other_cpus,
    passing_shots,
    service,
)

ROUNDS = 4
SECONDS = 4.0
LINES_PER_WORKER = 5


def bare_fps() -> float:
    """Frames per second of bare loops on all worker CPUs at once."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(loop.fps for loop in pool.map(lambda cpu: bare.run(cpu, SECONDS), WORKER_CPUS))


def run() -> dict[str, Any]:
    """Measure."""
    pairs: list[tuple[float, float]] = []
    with service(NEVER_DONE) as started:
        for _ in range(ROUNDS):
            alone = bare_fps()
            with on_other_cpus():
                drive = saturate(
                    to_service(started.url), LINES_PER_WORKER * WORKERS, passing_shots(), SECONDS
                )
                pairs.append((uvloop.run(drive).fps, alone))
    return {
        "efficiency": statistics.median(pipeline / alone for pipeline, alone in pairs),
        "pipeline_fps": statistics.median(pipeline for pipeline, _ in pairs),
        "bare_fps": statistics.median(alone for _, alone in pairs),
        "workers": WORKERS,
    }
