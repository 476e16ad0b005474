"""``lunapass run``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from lunapass.commands.options import cells_option, config_option


@click.command(help="Run all roles under one supervisor.")
@cells_option
@config_option
def command(cells: int | None, config_path: Path | None) -> None:
    """Check the configuration, then supervise the roles until a signal."""
    from lunapass.supervisor import Supervisor, supervise
    from shared.cells import of_cell, total_workers
    from shared.config_loading import load
    from shared.config_policy import sentence, weaknesses
    from shared.config_rules import check

    config = of_cell(load(config_path), None, cells)
    for line in (*check(config), *weaknesses(config), sentence(config)):
        click.echo(f"lunapass: {line}", err=True)

    async def run() -> None:
        await supervise(Supervisor(config, config_path, total_workers(config)))

    asyncio.run(run())
