"""``lunapass run``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from lunapass.commands.options import config_option


@click.command(help="Run all roles under one supervisor.")
@config_option
def command(config_path: Path | None) -> None:
    """Check the configuration, then supervise the roles until a signal."""
    from gateway.service import worker_count
    from lunapass.supervisor import Supervisor, supervise
    from shared.config_loading import load
    from shared.config_rules import check

    config = load(config_path)
    for warning in check(config):
        click.echo(f"lunapass: {warning}", err=True)

    async def run() -> None:
        await supervise(Supervisor(config, config_path, worker_count(config)))

    asyncio.run(run())
