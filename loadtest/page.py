"""The page of a load run, drawn from its JSON report: one file, no script, nothing to fetch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from shared.charts import Curve, Point, from_zero, plot
from shared.codes import hint
from shared.report import parts

Told = dict[str, Any]
Row = tuple[str, str]


def as_html(told: Told, notes: Iterable[str] = ()) -> str:
    """Write the page.

    Args:
        told: the report, as ``loadtest.report.as_json`` makes it.
        notes: what a reader has to know before quoting a figure.
    """
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(told["at"]))
    return str(parts.page(f"Load run of {when}", _body(told, notes)))


def _body(told: Told, notes: Iterable[str]) -> Iterator[Markup]:
    yield from map(parts.note, notes)
    yield parts.heading("Result")
    yield parts.row(_tables(_result(told)))
    yield parts.heading("Over time")
    yield parts.row(_charts(told))
    yield parts.heading("What was asked")
    yield parts.row(_tables(_setting(told)))


def _tables(tables: Iterable[tuple[str, list[Row]]]) -> Iterator[Markup]:
    """Lay out the tables that have any row."""
    for caption, rows in tables:
        if rows:
            yield parts.table((), rows, caption)


def _result(told: Told) -> Iterator[tuple[str, list[Row]]]:
    whole = told["whole"]
    sessions, frames = whole["sessions"], whole["frames"]
    yield (
        "Sessions",
        [
            ("begun", _number(sessions["begun"])),
            ("accepted", _number(sessions["accepted"])),
            ("refused", _number(sessions["refused"])),
            ("left before a verdict", _number(sessions["left"])),
            ("resumed on a new connection", _number(sessions["resumed"])),
            *_by_reason("failed", sessions["failed"]),
        ],
    )
    yield (
        "Latency from due to answered",
        [
            *((name, _milliseconds(found)) for name, found in whole["latencyMs"].items()),
            ("connecting, p95", _milliseconds(whole["connectMs"]["p95"])),
            ("sent late by the clients, p99", _milliseconds(whole["clientLateMs"]["p99"])),
        ],
    )
    yield (
        "Frames",
        [
            ("sent", _number(frames["sent"])),
            ("judged", _number(frames["judged"])),
            ("judged a second", f"{frames['judgedPerSecond']:.1f}"),
            *_by_reason("dropped", frames["dropped"]),
        ],
    )
    codes = whole["codes"].items()
    yield (
        "Frames judged with a code",
        [(f"{code} {hint(int(code))}", _number(count)) for code, count in codes],
    )
    growth = told["service"]["memoryGrowth"]
    yield (
        "Memory, last minute over third",
        [(name, f"{100 * (share - 1):+.1f} %") for name, share in growth.items()],
    )


def _setting(told: Told) -> Iterator[tuple[str, list[Row]]]:
    plan, machine, cpu = told["plan"], told["machine"], told["clientCpuSeconds"]
    profile = plan["profile"]
    seconds = f"{profile['seconds']:g} s"
    whose = "sessions begun a second" if plan["arrivals"] else "kiosks"
    pace = f"{plan['fps']:g} a second" if plan["fps"] else "one after each answer"
    yield (
        "Crowd",
        [
            ("address", plan["url"]),
            ("load", f"{profile['kind']}, {seconds}, at most {profile['most']:g} {whose}"),
            ("frames of each person", pace),
            ("mistakes at first", f"{plan['prepare']:g} s"),
            ("patience", f"{plan['patience']:g} s" if plan["patience"] else "without end"),
            ("between two people", f"{plan['think']:g} s on average"),
            ("connections that break once", f"{100 * plan['breaks']:g} %"),
            ("seed", str(plan["seed"])),
        ],
    )
    yield (
        "Client machine",
        [
            ("system", machine["system"]),
            ("processors", str(machine["cpus"])),
            ("client processes", str(len(cpu))),
            ("their processor time", f"{sum(cpu.values()):.1f} s"),
            ("Python", machine["python"]),
            ("lunapass", told["version"]),
        ],
    )


def _charts(told: Told) -> Iterator[Markup]:
    seconds, service = told["seconds"], told["service"]

    def over(*path: str) -> list[Point]:
        return [(float(row["second"]), _value(row, path)) for row in seconds]

    found: list[tuple[str, str, Mapping[str, Sequence[Point]]]] = [
        ("People present", "people", {"people": over("people")}),
        (
            "Latency from due to answered (a gap: no frame, or too many dropped)",
            "ms",
            {name: over("latencyMs", name) for name in ("p50", "p95", "p99")},
        ),
        (
            "Frames",
            "frames a second",
            {name: over("frames", name) for name in ("sent", "judged")},
        ),
        (
            "Frames dropped by reason",
            "frames a second",
            {
                reason: over("frames", "dropped", reason)
                for reason in sorted(told["whole"]["frames"]["dropped"])
            },
        ),
        (
            "Verdicts, and sessions that ended without one",
            "sessions a second",
            {name: over("sessions", name) for name in ("accepted", "refused", "left", "failed")},
        ),
        ("CPU of the service, each role", "% of a core", service["cpuPercent"]),
        ("Memory of the service, each role", "MB", service["memoryMegabytes"]),
    ]
    end = max(1.0, told["length"], *(float(row["second"]) for row in seconds))
    for title, unit, series in found:
        if series:
            yield parts.chart(_drawn(title, unit, series, end), title)


def _value(row: Told, path: Sequence[str]) -> float:
    """Number at a path; a count by reason is added up, what is missing counts none."""
    value: Any = row
    for name in path:
        value = value.get(name, 0)
    if isinstance(value, dict):
        value = sum(value.values())
    return float(value) if isinstance(value, int | float) else float("nan")


def _drawn(title: str, unit: str, series: Mapping[str, Sequence[Point]], end: float) -> str:
    return plot(
        [Curve(name, points) for name, points in series.items()],
        x="seconds",
        y=unit,
        title=title,
        x_range=(0.0, end),
        y_range=from_zero(value for points in series.values() for _, value in points),
        size=(480, 240),
    )


def _by_reason(what: str, counts: Mapping[str, int]) -> list[Row]:
    rows = [(f"{what}: {reason}", _number(count)) for reason, count in counts.items()]
    return rows or [(what, "0")]


def _milliseconds(found: float | str | None) -> str:
    if isinstance(found, str):
        return "too many frames dropped"
    return "-" if found is None else f"{found:g} ms"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")
