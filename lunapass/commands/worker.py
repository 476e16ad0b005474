"""``lunapass worker``."""

from __future__ import annotations

from pathlib import Path

import click

from lunapass.commands.options import config_option, parent_option


@click.command(help="Run one inference worker.")
@click.option(
    "--index", default=0, show_default=True, help="Number of the worker, which chooses its CPU."
)
@config_option
@parent_option
def command(index: int, config_path: Path | None, parent: int | None) -> None:
    """Run the role in this process."""
    from inference_pool.worker import run
    from shared.config_loading import load

    run(load(config_path), index, parent=parent)
