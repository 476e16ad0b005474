"""The HTML report of an evaluation."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from markupsafe import Markup

from evaluation.samples import ATTACK, LIVE
from evaluation.whatif import Suggestion
from shared.charts import Curve, histogram, plot
from shared.report import parts, percent

SHOWN_ERRORS = 8
SHOWN_SLOWEST = 10

Thumbnail = Callable[[str], str | None]
"""Returns base64 of a small JPEG of a presentation, by its path; None if it cannot be decoded."""


def html(summary: dict[str, Any], title: str, thumbnail: Thumbnail) -> str:
    """Write the report of a result of ``summary.summarise``."""
    return str(parts.page(title, _body(summary, thumbnail)))


def _body(summary: dict[str, Any], thumbnail: Thumbnail) -> Iterator[Markup]:
    yield from map(parts.note, summary["notes"])
    counts = summary["counts"]
    attacks = ", ".join(f"{count} {name}" for name, count in counts[ATTACK].items()) or "none"
    yield parts.paragraph(
        f"{counts[LIVE]} live presentations; attacks: {attacks}; {counts['subjects']} subjects,"
        f" {counts['frames']} frames. Unit: {summary['unit']}."
        f" Liveness threshold {summary['threshold']}."
    )
    yield parts.heading("The liveness estimation by itself")
    yield parts.paragraph(
        "Every presentation with a face is classified by its mean liveness score, regardless of"
        " earlier checks. Definitions of ISO/IEC 30107-3; ACER is the mean of the worst APCER"
        " and BPCER, the half total error that of the mean APCER and BPCER. Wilson intervals"
        " assume independent presentations, the bootstrap resamples whole subjects."
    )
    yield parts.paragraph(_origin(summary))
    yield from _rates(summary, summary["threshold"])
    yield parts.heading("As served")
    yield parts.paragraph(
        "The whole service: a presentation is accepted if a frame passes every check"
        f" (mean of {summary['window']} in a row). Frames that an earlier check refuses do not"
        " count."
    )
    yield from _rates(summary["served"], summary["threshold"])
    if summary["groups"]:
        yield parts.heading("Live presentations by group")
        yield parts.table(
            ("group", "liveness alone refuses", "95 %", "service refuses", "95 %", "codes"),
            itertools.starmap(_group, summary["groups"].items()),
        )
    yield parts.heading("What each check refuses")
    yield parts.paragraph("Frames that fail this check first, and all frames that fail it.")
    yield parts.table(
        ("check", "stage", "live, first", "live, all", "attacks, first", "attacks, all"),
        map(_check, summary["checks"]),
    )
    yield parts.heading("Score distributions")
    yield parts.chart(_distributions(summary))
    yield parts.heading("Worst errors")
    yield from _worst(summary["presentations"], summary["threshold"], thumbnail)
    yield parts.heading("Slowest")
    timed = [one for one in summary["presentations"] if one["milliseconds"] is not None]
    slowest = sorted(timed, key=lambda one: -one["milliseconds"])[:SHOWN_SLOWEST]
    yield parts.table(
        ("presentation", "ms per frame"), [(one["path"], one["milliseconds"]) for one in slowest]
    )


def _origin(summary: dict[str, Any]) -> str:
    """Say on which presentations the thresholds to set were chosen."""
    if summary["development"]:
        return (
            f"What to set was chosen on {summary['development']} presentations of the development"
            " set; the errors are those of this set."
        )
    return (
        "What to set was chosen on this set, so its errors look better than they are; choose it on"
        " other people with --development."
    )


def _rates(rates: dict[str, Any], threshold: float) -> Iterator[Markup]:
    rows = [
        _rate(f"APCER {name}", rates["apcer"][name], interval)
        for name, interval in rates["intervals"]["apcer"].items()
    ]
    rows.append(("APCER, worst species", percent(rates["apcerMax"]), "", "", "", ""))
    rows.append(_rate("BPCER", rates["bpcer"], rates["intervals"]["bpcer"]))
    rows.append(("ACER", percent(rates["acer"]), "", "", "", ""))
    rows.append(("half total error", percent(rates["halfTotalError"]), "", "", "", ""))
    head = ("rate", "value", "errors", "subjects", "Wilson 95 %", "by subject 95 %")
    yield parts.table(head, rows)
    yield parts.table(
        ("BPCER at APCER", "BPCER", "by subject 95 %", "threshold", "enough attacks"),
        [
            (
                percent(point["apcer"]),
                percent(point["bpcer"]),
                interval_text(point["interval"]),
                point["threshold"],
                "yes" if point["supported"] else "no",
            )
            for point in rates["atFixedApcer"]
        ],
    )
    if rates["whatToSet"]:
        yield parts.table(
            ("aim", "livenessScore", "BPCER", "worst APCER", "half total error"),
            [
                (
                    row["aim"],
                    row["livenessScore"],
                    percent(row["bpcer"]),
                    percent(row["apcerMax"]),
                    percent(row["halfTotalError"]),
                )
                for row in rates["whatToSet"]
            ],
            "What to set",
        )
    known = [(t, a, b) for t, a, b in rates["det"] if a is not None and b is not None]
    if known:
        trade = Curve("DET", [(a, b) for _, a, b in known], step=True)
        levels = [(t, a, b) for t, a, b in known if t is not None]
        over = [
            Curve("APCER", [(t, a) for t, a, _ in levels], step=True),
            Curve("BPCER", [(t, b) for t, _, b in levels], step=True),
        ]
        yield parts.row(
            (
                parts.chart(plot([trade], x="worst APCER", y="BPCER")),
                parts.chart(plot(over, x="threshold", y="error", marks=[threshold])),
            )
        )


def _rate(name: str, value: float | None, interval: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        percent(value),
        f"{interval['errors']} of {interval['of']}",
        str(interval["subjects"]),
        interval_text(interval["wilson"]),
        interval_text(interval["bySubject"]),
    )


def interval_text(interval: Sequence[float] | None) -> str:
    """Format an interval of a share."""
    return "-" if interval is None else f"{100 * interval[0]:.1f} to {percent(interval[1])}"


def suggestions_table(suggestions: Sequence[Suggestion]) -> Markup:
    """Return a table of suggested thresholds with reason and cost."""
    table: Markup = parts.table(
        ("threshold", "now", "suggested", "because", "cost"),
        [(one.key, f"{one.now:g}", f"{one.value:g}", one.reason, one.cost) for one in suggestions],
    )
    return table


def _group(name: str, group: dict[str, Any]) -> tuple[str, ...]:
    codes = (f"{code} {text}: {count}" for code, text, count in group["codes"])
    alone, served = group["bpcer"], group["served"]
    return (
        name,
        f"{alone['errors']} of {alone['of']}",
        interval_text(alone["wilson"]),
        f"{served['errors']} of {served['of']}",
        interval_text(served["wilson"]),
        ", ".join(codes) or "-",
    )


def _check(check: dict[str, Any]) -> tuple[str, ...]:
    refused = (
        f"{check[label][kind]} of {check[label]['of']}" if check[label]["of"] else "-"
        for label in (LIVE, ATTACK)
        for kind in ("first", "any")
    )
    return (f"{check['code']} {check['finding']}", check["stage"], *refused)


def _distributions(summary: dict[str, Any]) -> str:
    scored = [one for one in summary["presentations"] if one["score"] is not None]
    names = [LIVE, *sorted({one["species"] for one in scored if one["species"]})]
    kinds = [one["species"] or LIVE for one in scored]
    return distributions(kinds, [one["score"] for one in scored], names, summary["threshold"])


def distributions(
    kinds: Sequence[str], scores: Sequence[float], names: Iterable[str], threshold: float
) -> str:
    """Draw the distribution of the scores of each kind."""
    curves = []
    for name in names:
        values = [score for score, kind in zip(scores, kinds, strict=True) if kind == name]
        curves.append(Curve(f"{name} ({len(values)})", histogram(values), bars=True))
    return plot(curves, x="liveness score", y="share", marks=[threshold])


def _worst(
    presentations: Sequence[dict[str, Any]], threshold: float, thumbnail: Thumbnail
) -> Iterator[Markup]:
    """Show live presentations scored low and attacks scored high, worst first."""
    scored = [one for one in presentations if one["score"] is not None]
    refused = [one for one in scored if one["label"] == LIVE and one["score"] < threshold]
    accepted = [one for one in scored if one["label"] == ATTACK and one["score"] >= threshold]
    for title, errors in (
        ("Live, scored as an attack", sorted(refused, key=lambda one: one["score"])),
        ("Attacks, scored as live", sorted(accepted, key=lambda one: -one["score"])),
    ):
        yield from error_pictures(title, errors, thumbnail, _caption)


def error_pictures(
    title: str,
    errors: Sequence[dict[str, Any]],
    thumbnail: Thumbnail,
    caption: Callable[[dict[str, Any]], str],
) -> Iterator[Markup]:
    """Show the first errors of a kind as pictures, below their number."""
    yield parts.subheading(f"{title}: {len(errors)}")
    yield parts.row(
        parts.picture(thumbnail(one["path"]) or "", caption(one)) for one in errors[:SHOWN_ERRORS]
    )


def _caption(one: dict[str, Any]) -> str:
    codes = ", ".join(map(str, one["codes"])) or "none"
    return f"{one['path']} · {one['species'] or LIVE} · score {one['score']:.3f} · codes {codes}"
