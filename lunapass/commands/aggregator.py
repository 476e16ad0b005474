"""``lunapass aggregator``."""

from typing import Any

import click

from lunapass.commands.options import part_source, role_options


@click.command(help="Run one aggregator.")
@role_options
def command(parent: int | None, **origin: Any) -> None:
    """Run the role in this process."""
    source = part_source("aggregator", **origin)
    from aggregator.service import run

    run(source, parent=parent)
