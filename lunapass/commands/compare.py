"""``lunapass compare``: two evaluations of the same set."""

import json
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from evaluation.comparison import EvaluationReport, ReportComparison, compare_reports
from evaluation.comparison_report import change_row, html
from lunapass.commands.options import FILE, html_option, json_option
from lunapass.progress import wide_console
from shared.report import write_report

PIPE_WIDTH = 120


@click.command("compare")
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@json_option
@html_option
def command(before: Path, after: Path, json_file: Path | None, html_file: Path | None) -> None:
    """Compare two reports of 'evaluate --json' on the same set: two configurations or heads.

    The interval of each change is that of a paired bootstrap over subjects. There is none (-) where
    fewer than 6 people change the rate, or all change alike.
    """
    found = compare_reports(EvaluationReport.read(before), EvaluationReport.read(after))
    _print(found)
    if json_file:
        write_report(json_file, json.dumps(found.data(), indent=1) + "\n")
    if html_file:
        names = (before.stem, after.stem) if before.stem != after.stem else ("before", "after")
        write_report(html_file, html(found, *names))


def _print(found: ReportComparison) -> None:
    console = wide_console(PIPE_WIDTH)
    for one in found.views:
        table = Table(one.view.title, box=None)
        for heading in ("of", "before", "after", "change", "95 %", "only after", "only before"):
            table.add_column(heading, justify="right", no_wrap=True)
        for name, row in one.rows().items():
            table.add_row(*map(escape, change_row(name, row)))
        console.print(table)
    if any(found.only):
        console.print(
            f"not compared: {found.only[0]} only in the first, {found.only[1]} in the second"
        )
    console.print(found.conclusion, style="bold", markup=False, highlight=False)
