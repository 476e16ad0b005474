"""Report of a load run: JSON for programs, an HTML page for people."""

import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loadtest.page import as_html
from loadtest.plan import without_password
from loadtest.runner import LoadRun, is_late_client, summary
from shared import __version__
from shared.charts import Point
from shared.errors import os_errors

MEMORY_MINUTE = 60.0


def as_json(outcome: LoadRun) -> dict[str, Any]:
    """Convert a run to JSON values."""
    return {
        "at": round(time.time(), 1),
        "version": __version__,
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": len(os.sched_getaffinity(0)),
        },
        "plan": {**asdict(outcome.plan), "url": without_password(outcome.plan.url)},
        "stopped": outcome.stopped,
        "length": outcome.length,
        "whole": summary(outcome.whole, outcome.length),
        "seconds": [
            {"second": second, "people": tally.kiosks, **summary(tally, 1)}
            for second in sorted(outcome.seconds)
            for tally in [outcome.between(second - 1, second)]
        ],
        "clientCpuSeconds": outcome.client_cpu,
        "service": {
            "trouble": outcome.watch.trouble,
            "cpuPercent": outcome.watch.cpu_percent(outcome.started),
            "memoryMegabytes": outcome.watch.memory_megabytes(outcome.started),
            "memoryGrowth": memory_growth(outcome),
        },
    }


def memory_growth(outcome: LoadRun) -> dict[str, float]:
    """Mean memory of the last minute divided by that of the third minute, by process.

    Empty for a run below four minutes, because caches and buffers fill in the first two.
    """
    end = outcome.length
    if end < 4 * MEMORY_MINUTE:
        return {}
    grown = {}
    for process, points in outcome.watch.memory_megabytes(outcome.started).items():
        third = _mean(points, 2 * MEMORY_MINUTE, 3 * MEMORY_MINUTE)
        last = _mean(points, end - MEMORY_MINUTE, end)
        if third and last:
            grown[process] = round(last / third, 4)
    return grown


def _mean(points: list[Point], first: float, last: float) -> float:
    values = [value for at, value in points if first <= at < last]
    return sum(values) / len(values) if values else 0.0


def notes(outcome: LoadRun) -> list[str]:
    """Warnings that a reader must know before quoting a figure."""
    plan, found = outcome.plan, []
    if outcome.stopped:
        found.append(f"Stopped after {outcome.length:g} of {plan.profile.seconds:g} s.")
    if plan.fps and is_late_client(outcome.whole, 1 / plan.fps):
        found.append(
            "This machine was too slow to send on time: use more --processes or machines. "
            "Latencies include its delay."
        )
    if outcome.watch.trouble:
        found.append(f"CPU and memory are incomplete: {outcome.watch.trouble}.")
    return found


def write(outcome: LoadRun, directory: Path) -> tuple[Path, Path]:
    """Write both reports to a folder and return their paths.

    Raises:
        ResourceError: the folder cannot be written.
    """
    data, page = directory / "report.json", directory / "report.html"
    with os_errors(f"cannot write {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
        report = as_json(outcome)
        data.write_text(json.dumps(report, indent=1))
        page.write_text(as_html(report, notes(outcome)), encoding="utf-8")
    return data, page
