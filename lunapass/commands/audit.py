"""``lunapass audit``: verify, show and export the records of the plugin Audit."""

import sys
from datetime import datetime
from pathlib import Path

import click

from lunapass.commands.options import config_option
from lunapass.installed import working_directory
from shared.config.loading import load
from shared.config.service import Config
from shared.errors import ResourceError
from shared.process.clock import SYSTEM
from shared.text_files import read_text

path_option = click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the records; by default the configuration's args.path.",
)
DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def command() -> None:
    """Verify, show and export the audit's records."""


@command.command()
@config_option
@path_option
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JWK set that verifies the signed heads, instead of the configuration's keys.",
)
@click.option(
    "--heads",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Text with logged heads, such as the service's log; each must be in a chain.",
)
def verify(
    config_path: Path | None, path: Path | None, jwks: Path | None, heads: Path | None
) -> None:
    """Check every record and signed head; exit with status 1 for any error."""
    from lunapass.audit import ChainCheck, chains, head_opener, missing_heads

    config = load(config_path)
    keys = None if jwks is None else read_text(jwks)
    open_head = head_opener(config.LUNA_PASS.JWT, keys)
    reports = [
        ChainCheck(folder, open_head).run(SYSTEM.wall())
        for folder in chains(_existing(path or _configured(config, config_path)))
    ]
    errors = [error for report in reports for error in report.errors]
    if heads is not None:
        known = {head for report in reports for head in report.heads}
        errors += missing_heads(read_text(heads), known, open_head)
    for note in (note for report in reports for note in report.notes):
        click.echo(f"note: {note}")
    for error in errors:
        click.echo(f"error: {error}", err=True)
    counts = sum(report.records for report in reports), sum(len(r.heads) for r in reports)
    click.echo(f"{counts[0]} records, {counts[1]} signed heads, {len(errors)} errors")
    if errors or not counts[0]:
        sys.exit(1)


@command.command()
@config_option
@path_option
@click.argument("session")
def show(config_path: Path | None, path: Path | None, session: str) -> None:
    """Print the records of a session, such as its erasure, as JSON lines."""
    from lunapass.audit import records, to_json

    found = [r for r in records(_folder(config_path, path)) if r.get("session") == session]
    for record in found:
        click.echo(to_json(record))
    if not found:
        sys.exit(1)


@command.command()
@config_option
@path_option
@click.option("--since", type=DAY, help="First day or time (local).")
@click.option("--until", type=DAY, help="End of the range (exclusive), local time.")
def export(
    config_path: Path | None, path: Path | None, since: datetime | None, until: datetime | None
) -> None:
    """Print all records as JSON lines, without the links of the chain; verify them first."""
    from lunapass.audit import records, to_json

    first = since.timestamp() if since else float("-inf")
    last = until.timestamp() if until else float("inf")
    for record in records(_folder(config_path, path)):
        if record["event"] != "head" and first <= record["at"] < last:
            click.echo(to_json(record))


def _folder(config_path: Path | None, path: Path | None) -> Path:
    return _existing(path or _configured(load(config_path), config_path))


def _configured(config: Config, config_path: Path | None) -> Path:
    return working_directory(config_path) / config.MIDDLEWARES.WS.Audit.args.path


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise ResourceError(f"{path}: no such folder; give the folder of the records with --path")
    return path
