"""Writes the results and the machine to docs/performance.md, between two markers."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from tests.support.service import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results: make bench DOCUMENT=1 -->", "<!-- end of results -->"
GOALS = {
    "efficiency": ("pipeline over bare loop", "at least 0.93"),
    "cpu_us_per_frame.plumbing": ("gateway and aggregator for a frame, µs", "250"),
    "cpu_us_per_frame.decoding": ("decoding, µs", ""),
    "cpu_us_per_frame.worker": ("worker, µs", ""),
    "latency_added_ms.p50": ("latency added, median, ms", "at most 1"),
    "latency_added_ms.p99": ("latency added, 99th percentile, ms", "at most 5"),
    "capacity_sessions_per_core": ("sessions at 5 frames/s for each worker's core", "15"),
    "sessions_per_busy_core": ("the same for each core's worth of CPU used", ""),
    "versus.threads.fps_ratio": ("frames/s over a pool of threads", "above 1"),
    "versus.threads.p99_ratio": ("their 99th percentile over ours, random arrivals", "above 1"),
    "versus.threads.p99_ratio_calm": ("the same, evenly spaced at half load", ""),
    "versus.processes.fps_ratio": ("frames/s over ProcessPoolExecutor", "above 1"),
    "versus.processes.p99_ratio": ("their 99th percentile over ours, random arrivals", "above 1"),
    "versus.processes.p99_ratio_calm": ("the same, evenly spaced at half load", ""),
    "versus.litserve.fps_ratio": ("frames/s over LitServe", "above 1"),
    "versus.litserve.p99_ratio": ("their 99th percentile over ours, random arrivals", "above 1"),
    "versus.litserve.p99_ratio_calm": ("the same, evenly spaced at half load", ""),
    "versus.mosec.fps_ratio": ("frames/s over mosec", "above 1"),
    "versus.mosec.p99_ratio": ("their 99th percentile over ours, random arrivals", "above 1"),
    "versus.mosec.p99_ratio_calm": ("the same, evenly spaced at half load", ""),
    "bytes_per_session": ("memory of a connected session, bytes", ""),
    "estimate_ratio": ("estimation over its models bare", "at most 1.25"),
    "estimation_ms": ("estimation of a passing frame, ms", ""),
    "models_ms": ("its models bare, ms", ""),
}
"""Meaning and goal of each figure, by its path in the results."""


def figure(results: dict[str, Any], path: str) -> str:
    """Return a figure as text, or a dash if it was not measured."""
    value: Any = results
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "-" if value is None else f"{value:.4g}"


def table(results: dict[str, Any]) -> str:
    """Format the results as Markdown."""
    machine = results["machine"]
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {machine['cpus']} CPUs ({machine['cpu']}), "
        f"{machine['workers']} worker(s), load {machine['load_before']:.1f} before.",
        "",
        "| figure | measured | goal |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {figure(results, path)} | {goal} |" for path, (name, goal) in GOALS.items()
    ]
    growth = results.get("growth", [])
    if growth:
        lines += ["", "| sessions | frames/s | CPU a frame, µs | p99, ms |", "|---|---|---|---|"]
        lines += [
            f"| {row['sessions']} | {row['fps']} | {row['cpu_us_per_frame']} | {row['p99_ms']} |"
            for row in growth
        ]
    return "\n".join(lines)


def write(results: dict[str, Any], page: Path = PAGE) -> None:
    """Replace the text between the markers."""
    text = page.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    assert pattern.search(text), f"{page} has no markers for results"
    filled = f"{BEGIN}\n{table(results)}\n{END}"
    page.write_text(pattern.sub(lambda _: filled, text))
