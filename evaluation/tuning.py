"""Output of ``lunapass tune``: plain data, an HTML page and a TOML overlay."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from markupsafe import Markup

from evaluation.report import suggestions_table
from evaluation.samples import ATTACK, LIVE
from evaluation.sessions import Logged
from evaluation.whatif import Study, Suggestion
from shared.charts import Curve, from_zero, plot
from shared.report import parts

SECTION = "LIVENESS.THRESHOLDS"
BINS = 24


def data(
    sessions: Sequence[Logged],
    studies: Sequence[Study],
    suggestions: Sequence[Suggestion],
    errors: Sequence[str],
) -> dict[str, Any]:
    """Return all results as plain data for JSON."""
    labels = [one.label for one in sessions]
    return {
        "sessions": len(sessions),
        "accepted": sum(one.accepted for one in sessions),
        "frames": sum(len(one.frames) for one in sessions),
        "labels": {name: labels.count(name) for name in sorted(set(labels))},
        "unreadable": list(errors),
        "thresholds": {
            one.threshold.key: {
                "now": one.now,
                "measured": one.measured,
                "whatIf": [asdict(step) for step in one.rows],
            }
            for one in studies
        },
        "suggestions": [asdict(one) for one in suggestions],
    }


def overlay(
    suggestions: Sequence[Suggestion], section: str = SECTION, command: str = "lunapass tune"
) -> str:
    """Format a command's suggestions as TOML to merge into a section, each with its cost."""
    lines = [f"# Suggested by '{command}'; read the costs before you merge it.", f"[{section}]"]
    for one in suggestions:
        whole = one.value == int(one.value)  # keys with fractions accept integers as well
        value = int(one.value) if whole else one.value
        lines += [f"# now {one.now:g}: {one.reason}", f"# cost: {one.cost}", f"{one.key} = {value}"]
    return "\n".join(lines) + "\n"


def html(
    summary: dict[str, Any], studies: Sequence[Study], suggestions: Sequence[Suggestion]
) -> str:
    """Write the report of a result of ``data``."""
    body = _body(summary, studies, suggestions)
    return str(parts.page("What other thresholds would have done", body))


def _body(
    summary: dict[str, Any], studies: Sequence[Study], suggestions: Sequence[Suggestion]
) -> Iterator[Markup]:
    labels = ", ".join(f"{count} {name}" for name, count in summary["labels"].items())
    yield parts.paragraph(
        f"{summary['sessions']} sessions, {summary['accepted']} accepted,"
        f" {summary['frames']} frames outside of actions. Labels: {labels}."
    )
    yield parts.note(
        "A worker stops at the first failed check. If a more lenient threshold lets a frame pass,"
        " the log does not show whether it would have passed the later checks. Nor does it show"
        " whether a session was an attack, unless it is labelled."
    )
    if not {LIVE, ATTACK} <= set(summary["labels"]):
        yield parts.note("To study liveness, label live and attack sessions.")
    for error in summary["unreadable"]:
        yield parts.note(error)
    yield parts.heading("Suggestions")
    if suggestions:
        yield suggestions_table(suggestions)
    else:
        yield parts.paragraph("None.")
    for one in studies:
        yield from _study(one)


def _study(one: Study) -> Iterator[Markup]:
    steps = (*one.threshold.range, one.now)
    low, high = min(steps), max(steps)
    yield parts.heading(f"{one.threshold.key} ({'at least' if one.threshold.least else 'at most'})")
    counts, edges = np.histogram(np.clip(one.values, low, high), BINS, (low, high))
    bars = [
        ((a + b) / 2, count / one.measured)
        for a, b, count in zip(edges, edges[1:], counts, strict=False)
    ]
    refused = sorted((step.value, step.refused / one.measured) for step in one.rows)
    charts = (
        plot(
            [Curve("frames", bars, bars=True)],
            x=one.threshold.key,
            y="share",
            x_range=(low, high),
            y_range=from_zero(share for _, share in bars),
            marks=[one.now],
        ),
        plot(
            [Curve("refused", refused)],
            x="threshold",
            y="share of frames",
            x_range=(low, high),
            marks=[one.now],
        ),
    )
    yield parts.row(map(parts.chart, charts))
    yield parts.table(
        ("value", "refused", "reach later checks", "lost", "sessions helped", "sessions lost"),
        [
            (
                f"{step.value:g}" + (" (now)" if step.value == one.now else ""),
                f"{step.refused} of {one.measured}",
                step.further,
                step.lost,
                step.sessions_helped,
                step.sessions_lost,
            )
            for step in one.rows
        ],
    )
