"""The report of a load run: JSON for programs, one HTML page without any script for people."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from loadtest.runner import Outcome, summary
from loadtest.svg import Point, Series, line_chart
from loadtest.tally import Tally
from shared import __version__

STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
border-bottom:1px solid #8884}td:last-child{font-variant-numeric:tabular-nums}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto}
svg text{font-size:11px;fill:currentColor}.grid{stroke:#8884}
polyline{fill:none;stroke-width:1.6}.legend span{margin-right:1rem}
.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.35em;border-radius:2px}
.note{background:#d9822b22;padding:.5rem .8rem;border-left:3px solid #d9822b}
"""
MEMORY_MINUTE = 60.0


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Describe a run as JSON values."""
    last = max(outcome.seconds, default=0)
    return {
        "at": round(time.time(), 1),
        "version": __version__,
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": len(os.sched_getaffinity(0)),
        },
        "plan": asdict(outcome.plan),
        "whole": summary(outcome.whole, last),
        "seconds": [
            {"second": second, "people": tally.kiosks, **summary(tally, 1)}
            for second, tally in sorted(outcome.seconds.items())
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
    end = outcome.plan.profile.seconds
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


def _line(outcome: Outcome, value: Callable[[Tally], float | None]) -> list[Point]:
    nothing = float("nan")
    return [
        (float(second), nothing if (found := value(tally)) is None else found)
        for second, tally in sorted(outcome.seconds.items())
    ]


def _counter(outcome: Outcome, name: str) -> list[Point]:
    return _line(outcome, lambda tally: tally.counts[name])


def charts(outcome: Outcome) -> list[str]:
    """Draw all charts."""

    def latency(share: float) -> list[Point]:
        return _line(outcome, lambda t: None if (p := t.percentile(share)) is None else 1000 * p)

    def dropped(reason: str) -> list[Point]:
        return _line(outcome, lambda tally: tally.dropped[reason])

    watch, begin = outcome.watch, outcome.started
    found: list[tuple[str, str, Series]] = [
        ("People present", "people", {"people": _line(outcome, lambda tally: tally.kiosks)}),
        (
            "Latency from due to answered",
            "ms (a gap: too many frames were dropped)",
            {"p50": latency(0.5), "p95": latency(0.95), "p99": latency(0.99)},
        ),
        (
            "Frames",
            "a second",
            {"sent": _counter(outcome, "sent"), "judged": _counter(outcome, "judged")},
        ),
        (
            "Frames dropped by reason",
            "a second",
            {reason: dropped(reason) for reason in sorted(outcome.whole.dropped)},
        ),
        (
            "Sessions ended",
            "a second",
            {name: _counter(outcome, name) for name in ("accepted", "refused", "left")}
            | {"failed": _line(outcome, lambda tally: sum(tally.failed.values()))},
        ),
        ("CPU of the service", "% of a core", dict(watch.cpu_percent(begin))),
        ("Memory of the service", "MB", dict(watch.memory_megabytes(begin))),
    ]
    return [line_chart(*chart) for chart in found if chart[2]]


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


def as_html(outcome: Outcome) -> str:
    """Write the page."""
    told = as_json(outcome)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(told["at"]))
    trouble = told["service"]["trouble"]
    note = f'<p class="note">CPU and memory are not known: {escape(trouble)}</p>' if trouble else ""
    growth = told["service"]["memoryGrowth"]
    grown = f"<h2>Memory, last minute over third</h2>{_table(growth)}" if growth else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Load run {when}</title><style>{STYLE}</style>"
        f"<h1>Load run of {when}</h1>{note}"
        f"<h2>Result</h2>{_table(told['whole'])}"
        f"<h2>Over time</h2>{''.join(charts(outcome))}{grown}"
        f"<h2>Asked</h2>{_table(told['plan'])}"
        f"<h2>Client machine</h2>{_table(told['machine'])}</html>"
    )


def write(outcome: Outcome, directory: Path) -> tuple[Path, Path]:
    """Write both reports into a folder; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / "report.json", directory / "report.html"
    data.write_text(json.dumps(as_json(outcome), indent=1))
    page.write_text(as_html(outcome), encoding="utf-8")
    return data, page
