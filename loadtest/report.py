"""The report of a load run: JSON for programs, one HTML page without any script for people."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from loadtest.plan import without_password
from loadtest.runner import Outcome, is_late_client, summary
from shared import __version__
from shared.charts import Curve, Point, from_zero, plot
from shared.errors import ResourceError

STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
border-bottom:1px solid #8884}td:last-child{font-variant-numeric:tabular-nums}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto}
.note{background:#d9822b22;padding:.5rem .8rem;border-left:3px solid #d9822b}
"""
MEMORY_MINUTE = 60.0


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Describe a run as JSON values."""
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


def memory_growth(outcome: Outcome) -> dict[str, float]:
    """Mean memory of the last minute over that of the third minute, by process.

    Empty for a run of less than four minutes: caches and buffers fill in the first two.
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


def charts(outcome: Outcome, seconds: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Draw all charts.

    Args:
        outcome: the run.
        seconds: what was seen, second by second, as in ``as_json``.
    """

    def over(*path: str) -> list[Point]:
        return [(float(row["second"]), _value(row, path)) for row in seconds]

    reasons = sorted(outcome.whole.dropped)
    watch, begin = outcome.watch, outcome.started
    found: list[tuple[str, str, Mapping[str, Sequence[Point]]]] = [
        ("People present", "people", {"people": over("people")}),
        (
            "Latency from due to answered (a gap: no frame, or too many dropped)",
            "ms",
            {name: over("latencyMs", name) for name in ("p50", "p95", "p99")},
        ),
        ("Frames", "a second", {name: over("frames", name) for name in ("sent", "judged")}),
        (
            "Frames dropped by reason",
            "a second",
            {reason: over("frames", "dropped", reason) for reason in reasons},
        ),
        (
            "Sessions ended",
            "a second",
            {name: over("sessions", name) for name in ("accepted", "refused", "left", "failed")},
        ),
        ("CPU of the service", "% of a core", watch.cpu_percent(begin)),
        ("Memory of the service", "MB", watch.memory_megabytes(begin)),
    ]
    end = max(1.0, *(float(row["second"]) for row in seconds), outcome.length)
    for title, unit, series in found:
        if series:
            yield _chart(title, unit, series, end)


def _value(row: dict[str, Any], path: Sequence[str]) -> float:
    """Number at a path; a count by reason is added up, what is missing counts none."""
    value: Any = row
    for name in path:
        value = value.get(name, 0)
    if isinstance(value, dict):
        value = sum(value.values())
    return float(value) if isinstance(value, int | float) else float("nan")


def _chart(title: str, unit: str, series: Mapping[str, Sequence[Point]], end: float) -> str:
    drawn = plot(
        [Curve(name, points) for name, points in series.items()],
        x="seconds",
        y=unit,
        title=title,
        x_range=(0.0, end),
        y_range=from_zero(value for points in series.values() for _, value in points),
        size=(860, 240),
    )
    return f"<figure><figcaption>{escape(title)}</figcaption>{drawn}</figure>"


def _rows(value: dict[str, Any], name: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        label = f"{name} {key}".strip()
        if isinstance(item, dict) and item:
            rows += _rows(item, label)
        else:
            rows.append((label, "-" if item in ({}, None) else str(item)))
    return rows


def _table(value: dict[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in _rows(value))
    return f"<table>{rows}</table>"


def notes(outcome: Outcome) -> list[str]:
    """What a reader has to know before quoting a figure."""
    plan, found = outcome.plan, []
    if outcome.stopped:
        found.append(f"Stopped after {outcome.length:g} of {plan.profile.seconds:g} s.")
    if plan.fps and is_late_client(outcome.whole, 1 / plan.fps):
        found.append(
            "This machine was too slow to send in time: use more --processes or machines. "
            "Latencies hold its delay too."
        )
    if outcome.watch.trouble:
        found.append(f"CPU and memory are not known to the end: {outcome.watch.trouble}.")
    return found


def as_html(outcome: Outcome) -> str:
    """Write the page."""
    told = as_json(outcome)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(told["at"]))
    note = "".join(f'<p class="note">{escape(text)}</p>' for text in notes(outcome))
    growth = told["service"]["memoryGrowth"]
    grown = f"<h2>Memory, last minute over third</h2>{_table(growth)}" if growth else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Load run {when}</title><style>{STYLE}</style>"
        f"<h1>Load run of {when}</h1>{note}"
        f"<h2>Result</h2>{_table(told['whole'])}"
        f"<h2>Over time</h2>{''.join(charts(outcome, told['seconds']))}{grown}"
        f"<h2>Asked</h2>{_table(told['plan'])}"
        f"<h2>Client machine</h2>{_table(told['machine'])}</html>"
    )


def write(outcome: Outcome, directory: Path) -> tuple[Path, Path]:
    """Write both reports into a folder; their paths.

    Raises:
        ResourceError: the folder cannot be written.
    """
    data, page = directory / "report.json", directory / "report.html"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        data.write_text(json.dumps(as_json(outcome), indent=1))
        page.write_text(as_html(outcome), encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {error.filename}: {error.strerror}") from error
    return data, page
