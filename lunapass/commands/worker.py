"""``lunapass worker``."""

from typing import Any

import click

from lunapass.commands.options import part_source, role_options


@click.command(help="Run one inference worker.")
@click.option("--index", default=0, help="Number of the worker, which determines its CPU.")
@role_options
def command(index: int, parent: int | None, **origin: Any) -> None:
    """Run the role in this process."""
    source = part_source("worker", **origin)
    from inference_pool.worker import run

    run(source, index, parent=parent)
