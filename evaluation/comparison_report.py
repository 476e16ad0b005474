"""The HTML report of a comparison of two evaluations."""

from collections.abc import Iterator

from markupsafe import Markup

from evaluation.comparison import Compared, JudgedPresentation, ReportComparison
from evaluation.paired import MIN_MOVED, RateChange
from shared.charts import Curve, plot
from shared.report import parts, percent

SHOWN_MOVED = 100
NO_INTERVAL = (
    f"There is no interval (-) where fewer than {MIN_MOVED} people change the rate, or all change"
    " alike."
)


def html(found: ReportComparison, before: str, after: str) -> str:
    """Write the report; ``before`` and ``after`` name the two evaluations."""
    return str(parts.page(f"Comparison of {before} and {after}", _body(found, before, after)))


def _body(found: ReportComparison, before: str, after: str) -> Iterator[Markup]:
    yield parts.note(found.conclusion)
    if any(found.only):
        yield parts.note(
            f"Not compared: {found.only[0]} presentations that only {before} has, and"
            f" {found.only[1]} that only {after} has."
        )
    yield parts.paragraph(
        "Both judged the same presentations. The interval is that of a bootstrap which draws whole"
        " subjects, the same ones for both; if it contains 0, the set shows no difference."
        f" {NO_INTERVAL} The last columns count the presentations that make up the rate in one"
        " evaluation only."
    )
    for one in found.views:
        yield parts.heading(one.view.title[0].upper() + one.view.title[1:])
        yield _table(one, before, after)
    curves = [
        Curve(
            name, [(a, b) for _, a, b in report.det if a is not None and b is not None], step=True
        )
        for name, report in ((before, found.before), (after, found.after))
    ]
    if all(curve.points for curve in curves):
        yield parts.heading("Errors at every threshold, liveness estimation alone")
        yield parts.chart(plot(curves, x="worst APCER", y="BPCER"))
    moved = found.moved()
    yield parts.heading(f"Judged differently: {len(moved)}")
    if moved:
        yield parts.table(
            ("presentation", before, after),
            [(one.path, _judgement(one), _judgement(other)) for one, other in moved[:SHOWN_MOVED]],
        )
    if len(moved) > SHOWN_MOVED:
        yield parts.paragraph(f"{len(moved) - SHOWN_MOVED} more are not shown.")


def _table(one: Compared, before: str, after: str) -> Markup:
    only = (f"only {after}", f"only {before}")
    head = ("", "presentations", before, after, "change in points", "95 %", *only)
    table: Markup = parts.table(head, [change_row(name, row) for name, row in one.rows().items()])
    return table


def change_row(name: str, row: RateChange) -> tuple[str, ...]:
    """Format a change for a table."""
    return (
        name,
        str(row.of),
        percent(row.before),
        percent(row.after),
        f"{100 * (row.after - row.before):+.1f}",
        "-" if row.interval is None else " to ".join(f"{100 * end:+.1f}" for end in row.interval),
        str(row.worse),
        str(row.better),
    )


def _judgement(one: JudgedPresentation) -> str:
    if one.outcome is not None:
        return one.outcome.value
    score = "no score" if one.score is None else f"score {one.score:.3f}"
    return f"{'accepted' if one.accepted else 'refused'}, {score}"
