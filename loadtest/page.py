"""HTML page of a load run, created from its JSON report: one file without scripts or links."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from shared.charts import Curve, Point, from_zero, plot
from shared.codes import finding
from shared.report import parts

Report = dict[str, Any]
Row = tuple[str, str]


def as_html(report: Report, notes: Iterable[str] = ()) -> str:
    """Create the page from the result of ``loadtest.report.as_json``."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(report["at"]))
    return str(parts.page(f"Load run of {when}", _body(report, notes)))


def _body(report: Report, notes: Iterable[str]) -> Iterator[Markup]:
    yield from map(parts.note, notes)
    yield parts.heading("Result")
    yield _tables(_result(report))
    yield parts.heading("Over time")
    yield parts.row(_charts(report))
    yield parts.heading("Settings")
    yield _tables(_setting(report))


def _tables(tables: Mapping[str, list[Row]]) -> Markup:
    """Create the tables that have rows, in a row."""
    row: Markup = parts.row(parts.table((), rows, title) for title, rows in tables.items() if rows)
    return row


def _result(report: Report) -> dict[str, list[Row]]:
    whole = report["whole"]
    sessions, frames = whole["sessions"], whole["frames"]
    growth = report["service"]["memoryGrowth"]
    return {
        "Sessions": [
            ("started", _number(sessions["begun"])),
            ("accepted", _number(sessions["accepted"])),
            ("refused", _number(sessions["refused"])),
            ("left before a verdict", _number(sessions["left"])),
            ("resumed on a new connection", _number(sessions["resumed"])),
            *_by_reason("failed", sessions["failed"]),
        ],
        "Latency from due to answered": [
            *((name, _milliseconds(found)) for name, found in whole["latencyMs"].items()),
            ("connecting, p95", _milliseconds(whole["connectMs"]["p95"])),
            ("sent late by the clients, p99", _milliseconds(whole["clientLateMs"]["p99"])),
        ],
        "Frames": [
            ("sent", _number(frames["sent"])),
            ("judged", _number(frames["judged"])),
            ("judged per second", f"{frames['judgedPerSecond']:.1f}"),
            *_by_reason("dropped", frames["dropped"]),
        ],
        "Frames judged with a code": [
            (f"{code} {finding(int(code))}", _number(count))
            for code, count in whole["codes"].items()
        ],
        "Memory, last minute over third": [
            (name, f"{100 * (share - 1):+.1f} %") for name, share in growth.items()
        ],
    }


def _setting(report: Report) -> dict[str, list[Row]]:
    plan, machine, cpu = report["plan"], report["machine"], report["clientCpuSeconds"]
    profile = plan["profile"]
    seconds = f"{profile['seconds']:g} s"
    unit = "sessions started per second" if plan["arrivals"] else "kiosks"
    pace = f"{plan['fps']:g} per second" if plan["fps"] else "one after each answer"
    return {
        "Crowd": [
            ("address", plan["url"]),
            ("load", f"{profile['kind']}, {seconds}, at most {profile['most']:g} {unit}"),
            ("frames of each person", pace),
            ("mistakes at first", f"{plan['prepare']:g} s"),
            ("patience", f"{plan['patience']:g} s" if plan["patience"] else "unlimited"),
            ("pause between people", f"{plan['think']:g} s on average"),
            ("connections that break once", f"{100 * plan['breaks']:g} %"),
            ("seed", str(plan["seed"])),
        ],
        "Client machine": [
            ("system", machine["system"]),
            ("processors", str(machine["cpus"])),
            ("client processes", str(len(cpu))),
            ("their CPU time", f"{sum(cpu.values()):.1f} s"),
            ("Python", machine["python"]),
            ("lunapass", report["version"]),
        ],
    }


def _charts(report: Report) -> Iterator[Markup]:
    seconds, service = report["seconds"], report["service"]

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
            "frames per second",
            {name: over("frames", name) for name in ("sent", "judged")},
        ),
        (
            "Frames dropped by reason",
            "frames per second",
            {
                reason: over("frames", "dropped", reason)
                for reason in sorted(report["whole"]["frames"]["dropped"])
            },
        ),
        (
            "Verdicts, and sessions that ended without one",
            "sessions per second",
            {name: over("sessions", name) for name in ("accepted", "refused", "left", "failed")},
        ),
        ("CPU of the service, each role", "% of a core", service["cpuPercent"]),
        ("Memory of the service, each role", "MB", service["memoryMegabytes"]),
    ]
    end = max(1.0, report["length"], *(float(row["second"]) for row in seconds))
    for title, unit, series in found:
        if series:
            yield parts.chart(_drawn(title, unit, series, end), title)


def _value(row: Report, path: Sequence[str]) -> float:
    """Number at a path; counts by reason are added up, a missing one is 0."""
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
