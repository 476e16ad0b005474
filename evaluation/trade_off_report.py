"""The HTML report of simulated sessions: both errors of each setting, as curve and table."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Any

from markupsafe import Markup

from evaluation.comparison_report import NO_INTERVAL, change_row
from evaluation.paired import RateChange
from evaluation.report import interval_text
from evaluation.samples import LIVE
from shared.charts import Curve, from_zero, plot
from shared.report import parts, percent

Row = Mapping[str, Any]


def html(summary: dict[str, Any], title: str) -> str:
    """Write the report of a result of ``trade_off.summarise_trade_off`` with its notes."""
    return str(parts.page(title, _body(summary)))


def _body(summary: dict[str, Any]) -> Iterator[Markup]:
    rows = summary["settings"]
    yield parts.note(summary["answer"])
    yield parts.heading("Trade-off")
    yield parts.paragraph(
        "Each point is a setting; those of one colour differ in the limit of refusals. A setting is"
        " on the front if no other one lowers one error without raising the other. The dashed line"
        " is the configured setting."
    )
    yield parts.row(map(parts.chart, _charts(rows)))
    yield parts.heading("Settings")
    yield parts.paragraph(
        "Live sessions are errors if they are refused or have no decision after their last frame."
        " Intervals of 95 % resample whole subjects. Frames: median of accepted live sessions."
    )
    yield _table(rows)
    yield parts.heading("From the configured setting to the lowest half total error")
    yield parts.paragraph(NO_INTERVAL)
    changes = {name or LIVE: row for name, row in summary["changes"].items()}
    changes["half total error"] = summary["halfTotalChange"]
    head = ("", "sessions", "configured", "lowest", "change in points", "95 %", "worse", "better")
    yield parts.table(head, [change_row(name, RateChange(**row)) for name, row in changes.items()])
    yield parts.heading("How the sessions were made")
    yield from map(parts.note, summary["notes"])


def _charts(rows: Sequence[Row]) -> Iterator[str]:
    """Draw the live error over the mean of the species, the worst one, and each one."""
    mean = [row["apcerMean"] for row in rows]
    names = list(rows[0]["apcer"])
    if len(names) < 2:
        yield _chart(rows, names[0], mean, front=True)
        return
    yield _chart(rows, "mean of the species", mean, front=True)
    yield _chart(rows, "worst species", [row["apcerMax"]["rate"] for row in rows])
    for name in names:
        yield _chart(rows, name, [row["apcer"][name]["rate"] for row in rows])


def _chart(rows: Sequence[Row], name: str, rates: Sequence[float], *, front: bool = False) -> str:
    points = [(rate, row["bpcer"]["rate"]) for rate, row in zip(rates, rows, strict=True)]
    curves = []
    for rule in dict.fromkeys(row["rule"] for row in rows):
        own = [point for point, row in zip(points, rows, strict=True) if row["rule"] == rule]
        # A point between gaps is drawn as a dot.
        curves.append(Curve(rule, [piece for point in own for piece in (point, (nan, nan))]))
    if front:
        ends = {point for point, row in zip(points, rows, strict=True) if row["front"]}
        curves.append(Curve("front", sorted(ends), step=True))
    return plot(
        curves,
        x=f"attacks accepted, {name}",
        y="live sessions refused",
        x_range=from_zero(rates),
        y_range=from_zero([live for _, live in points]),
        marks=[rate for rate, row in zip(rates, rows, strict=True) if row["now"]],
    )


def _table(rows: Sequence[Row]) -> Markup:
    species = list(rows[0]["apcer"])
    head = ("setting", "limit", "live refused", *species, "worst species", "all attacks")
    table: Markup = parts.table(
        (*head, "half total error", "frames"),
        [
            (
                row["rule"] + _marks(row),
                row["limit"],
                *map(_rate, (row["bpcer"], *row["apcer"].values(), row["apcerMax"])),
                _rate(row["allAttacks"]),
                percent(row["halfTotalError"]),
                None if row["liveFrames"] is None else f"{row['liveFrames']:g}",
            )
            for row in rows
        ],
    )
    return table


def _marks(row: Row) -> str:
    marks = [name for name, key in (("front", "front"), ("configured", "now")) if row[key]]
    return f" ({', '.join(marks)})" if marks else ""


def _rate(rate: Row) -> str:
    """Format a rate with its interval."""
    ends = rate["bySubject"]
    return percent(rate["rate"]) + (f" ({interval_text(ends)})" if ends else "")
