"""``lunapass tune``: how other thresholds would have changed logged sessions."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from evaluation.sessions import read_logs
from evaluation.tuning import data, html, overlay
from evaluation.whatif import Study, Suggestion, study, suggest
from lunapass.commands.options import EXISTING, PATH, config_option, html_option, json_option
from shared.config.loading import load
from shared.frame.checks import Rules
from shared.report import write_report


@click.command("tune")
@click.argument("logs", metavar="LOGS", type=EXISTING)
@json_option
@html_option
@click.option(
    "--write",
    "toml_file",
    metavar="FILE",
    type=PATH,
    help="Write the suggestions as TOML to merge into the configuration.",
)
@config_option
def command(
    logs: Path,
    json_file: Path | None,
    html_file: Path | None,
    toml_file: Path | None,
    config_path: Path | None,
) -> None:
    """Show what each threshold refused in FileLogger's folders, and the effect of changing it.

    LOGS is FileLogger's path, or contains its folders below live/ and attack/SPECIES/. The liveness
    threshold is studied only with such labels.
    """
    rules = Rules.of(load(config_path))
    sessions, errors = read_logs(logs)
    studies, suggestions = study(sessions, rules), suggest(sessions, rules)
    _print(studies, suggestions, len(sessions), errors)
    report = data(sessions, studies, suggestions, errors)
    for file, text in (
        (json_file, json.dumps(report, indent=1) + "\n"),
        (html_file, html(report, studies, suggestions)),
        (toml_file, overlay(suggestions)),
    ):
        if file is not None:
            write_report(file, text)


def _print(
    studies: Sequence[Study], suggestions: Sequence[Suggestion], sessions: int, errors: list[str]
) -> None:
    console = Console()
    table = Table("threshold", box=None)
    for name in ("now", "refused", "frames", "median"):
        table.add_column(name, justify="right")
    for one in studies:
        now = next(step for step in one.rows if step.value == one.now)
        middle = sorted(one.values)[one.measured // 2]
        cells = (f"{one.now:g}", str(now.refused), str(one.measured), f"{middle:.2f}")
        table.add_row(one.threshold.key, *cells)
    console.print(table)
    for error in errors:
        console.print(f"skipped: {error}", style="yellow", markup=False)
    for suggested in suggestions:
        change = f"{suggested.key}: {suggested.now:g} -> {suggested.value:g}"
        console.print(change, style="bold", markup=False)
        reason = f"  {suggested.reason}\n  cost: {suggested.cost}"
        console.print(reason, markup=False, highlight=False)
    console.print(f"{sessions} sessions, {len(suggestions)} suggestions")
