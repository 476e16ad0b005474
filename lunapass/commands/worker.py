"""``lunapass worker``."""

from __future__ import annotations

from pathlib import Path

import click

from lunapass.commands.options import cell_option, cells_option, config_option, parent_option


@click.command(help="Run one inference worker.")
@click.option(
    "--index", default=0, show_default=True, help="Number of the worker, which chooses its CPU."
)
@cell_option
@cells_option
@config_option
@parent_option
def command(
    index: int,
    cell: int | None,
    cells: int | None,
    config_path: Path | None,
    parent: int | None,
) -> None:
    """Run the role in this process."""
    from inference_pool.worker import run
    from shared.cells import of_cell
    from shared.config_source import ConfigSource

    source = ConfigSource(config_path)
    run(of_cell(source.config, cell, cells), source, index, parent=parent)
