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
    from shared.cells import total_workers
    from shared.config_policy import sentence, weaknesses
    from shared.config_source import ConfigSource
    from shared.process import hide_memory

    hide_memory()
    source = ConfigSource(config_path, cells)
    for line in (*source.warnings, *weaknesses(source.config), sentence(source.config)):
        click.echo(f"lunapass: {line}", err=True)

    async def run() -> None:
        await supervise(Supervisor(source, total_workers(source.config)))

    asyncio.run(run())
