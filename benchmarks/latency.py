"""3. Latency that the pipeline adds to decoding and estimation, at half of the bare loop's rate.

Frames are evenly spaced, so that none waits for another: with random arrivals, a half busy server
makes frames wait half an estimation on average, whatever the software. The bare loop has the same
rate, because a CPU is slower after idling.
"""

from __future__ import annotations

import statistics
from typing import Any

import uvloop

from benchmarks import bare
from benchmarks.driver import evenly, on_schedule, to_service
from benchmarks.setting import (
    NEVER_DONE,
    WORKER_CPUS,
    WORKERS,
    on_other_cpus,
    passing_shots,
    service,
)

ROUNDS, SECONDS = 3, 6.0


def run() -> dict[str, Any]:
    """Measure."""
    added: dict[str, list[float]] = {"p50": [], "p99": []}
    with service(NEVER_DONE) as started:
        pace = bare.run(WORKER_CPUS[0], 3.0).fps / 2
        for _ in range(ROUNDS):
            alone = bare.run(WORKER_CPUS[0], SECONDS, pace)
            with on_other_cpus():
                dues = evenly(pace * WORKERS, SECONDS)
                drive = on_schedule(
                    to_service(started.url), 4 * WORKERS, passing_shots(), dues, SECONDS
                )
                seen = uvloop.run(drive)
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                added[name].append(seen.percentile(share) - alone.percentile(share))
    return {
        "latency_added_ms": {name: statistics.median(values) for name, values in added.items()},
        "latency_ms": {"p50": seen.percentile(0.5), "p99": seen.percentile(0.99)},
        "at_fps": pace * WORKERS,
    }
