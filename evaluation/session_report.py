"""The HTML report of an evaluation of whole sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from evaluation.report import Thumbnail, error_pictures, interval_text, suggestions_table
from evaluation.samples import ATTACK, LIVE
from evaluation.session_summary import LIVE_ERRORS
from evaluation.sign_thresholds import MIN_LIVE, MeasuredSign
from evaluation.verdicts import SessionOutcome
from evaluation.whatif import Suggestion
from shared.charts import Curve, plot, stacked
from shared.report import parts, percent

SHOWN_QUANTILE = 0.95
"""Values of a sign beyond this quantile are drawn at the edge of its chart."""


def html(
    summary: dict[str, Any],
    signs: Sequence[MeasuredSign],
    suggestions: Sequence[Suggestion],
    title: str,
    thumbnail: Thumbnail,
) -> str:
    """Write the report of a result of ``session_summary.summarise_sessions``."""
    return str(parts.page(title, _body(summary, signs, suggestions, thumbnail)))


def _body(
    summary: dict[str, Any],
    signs: Sequence[MeasuredSign],
    suggestions: Sequence[Suggestion],
    thumbnail: Thumbnail,
) -> Iterator[Markup]:
    yield from map(parts.note, summary["notes"])
    yield parts.paragraph(f"What the configuration requires: {summary['policy']}")
    yield parts.heading("How the sessions ended")
    groups = session_groups(summary)
    yield parts.chart(
        stacked(
            [
                (name, [group["counts"][outcome] / group["sessions"] for outcome in SessionOutcome])
                for name, group, _ in groups
            ],
            list(SessionOutcome),
        )
    )
    yield from _rates(summary, groups)
    if summary["groups"]:
        yield parts.heading("Live sessions by group")
        yield _outcomes([(name, one, one["bpcer"]) for name, one in summary["groups"].items()])
    yield parts.heading("Codes of the frames")
    yield parts.paragraph("Frames up to the end of their session; a frame can have several codes.")
    yield parts.table(
        ("code", "live frames", "attack frames"),
        [
            (f"{one['code']} {one['finding']}", one[LIVE], one[ATTACK])
            for one in summary["findings"]
        ],
    )
    if signs:
        yield from _signs(signs, suggestions)
    yield parts.heading("Errors")
    yield from _errors(summary["sessions"], thumbnail)


def session_groups(summary: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return the name, counts and error rate of the live sessions and of each species."""
    groups = [(name, group, group["apcer"]) for name, group in summary["attacks"].items()]
    if len(groups) > 1:
        groups.append(("all attacks", summary["allAttacks"], summary["allAttacks"]["apcer"]))
    live = summary["live"]
    return [(LIVE, live, live["bpcer"]), *groups] if live["sessions"] else groups


NamedGroup = tuple[str, dict[str, Any], dict[str, Any]]
"""A name, counts and an error rate."""


def _rates(summary: dict[str, Any], groups: Sequence[NamedGroup]) -> Iterator[Markup]:
    yield parts.paragraph(
        "The error of a species (APCER) is the share of its sessions that were accepted without an"
        " action; that of live sessions (BPCER) the share that was refused or had no decision when"
        " its frames ended. A session that was asked for an action is no error. Wilson intervals"
        " assume independent sessions, the bootstrap resamples whole subjects."
    )
    yield _outcomes(groups)
    asked = summary["live"]["asked"]
    yield parts.table(
        ("rate", "value", "Wilson 95 %"),
        [
            (
                "live sessions asked for an action",
                percent(asked["rate"]),
                interval_text(asked["wilson"]),
            ),
            ("APCER, worst species", percent(summary["apcerMax"]), "-"),
            ("half total error", percent(summary["halfTotalError"]), "-"),
        ],
    )


def _outcomes(groups: Sequence[NamedGroup]) -> Markup:
    table: Markup = parts.table(
        ("", "sessions", "subjects", *SessionOutcome, "error", "Wilson 95 %", "by subject 95 %"),
        [
            (
                name,
                group["sessions"],
                group["subjects"],
                *(group["counts"][outcome] for outcome in SessionOutcome),
                percent(error["rate"]),
                interval_text(error["wilson"]),
                interval_text(error["bySubject"]),
            )
            for name, group, error in groups
        ],
    )
    return table


def _signs(signs: Sequence[MeasuredSign], suggestions: Sequence[Suggestion]) -> Iterator[Markup]:
    yield parts.heading("Signs of life")
    yield parts.paragraph(
        "Share of the sessions below each value, measured where the session ended. The dashed line"
        " is the threshold: eyes, pose and score below it, and background motion above it, are in"
        " doubt, so the session is asked for an action."
    )
    yield parts.row(parts.chart(_distribution(one)) for one in signs)
    if suggestions:
        yield parts.paragraph(
            "Thresholds of LifeSigns that put a set share of these live sessions in doubt. Apply"
            " them, and run this again: other thresholds also change when a session ends."
        )
        yield suggestions_table(suggestions)
    else:
        yield parts.paragraph(
            f"No threshold is suggested: that needs {MIN_LIVE} live sessions in which the sign was"
            " measured, and a value that differs from the configured one."
        )


def _distribution(one: MeasuredSign) -> str:
    """Draw the cumulative distribution of a sign by kind."""
    kinds = [(LIVE, one.live), *sorted(one.attacks.items())]
    every = [value for _, values in kinds for value in values]
    high = max(float(np.quantile(every, SHOWN_QUANTILE)), 2 * one.now) or 1.0
    return plot(
        [
            Curve(f"{name} ({len(values)})", _cumulative(values, high), step=True)
            for name, values in kinds
            if values
        ],
        x=one.sign.argument,
        y="share of sessions",
        x_range=(0.0, high),
        marks=[one.now],
    )


def _cumulative(values: Sequence[float], high: float) -> list[tuple[float, float]]:
    """Return the points at which the share of smaller values changes."""
    below = [(min(value, high), rank / len(values)) for rank, value in enumerate(sorted(values))]
    return [(0.0, 0.0), *below, (high, 1.0)]


def _errors(sessions: Sequence[dict[str, Any]], thumbnail: Thumbnail) -> Iterator[Markup]:
    accepted = [
        one
        for one in sessions
        if one["label"] == ATTACK and one["outcome"] == SessionOutcome.ACCEPTED
    ]
    refused = [one for one in sessions if one["label"] == LIVE and one["outcome"] in LIVE_ERRORS]
    for title, errors in (("Attacks, accepted", accepted), ("Live, not accepted", refused)):
        yield from error_pictures(title, errors, thumbnail, _caption)


def _caption(one: dict[str, Any]) -> str:
    codes = ", ".join(map(str, one["codes"])) or "none"
    return (
        f"{one['path']} · {one['outcome']} after {one['frames']} frames, {one['seconds']} s"
        f" · last codes {codes}"
    )
