"""``lunapass run``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lunapass.commands.options import cells_option, config_option

if TYPE_CHECKING:
    from shared.config.source import ConfigSource
    from shared.process.cgroups import ControlGroups


@click.command(help="Run all roles under one supervisor.")
@cells_option
@config_option
def command(cells: int | None, config_path: Path | None) -> None:
    """Check the configuration, then supervise the roles until a stop signal."""
    from lunapass.supervisor import Supervisor, supervise
    from shared.config.cells import affordable_cpus, total_workers
    from shared.config.source import ConfigSource
    from shared.process.cgroups import ControlGroups
    from shared.process.process import hide_memory

    hide_memory()
    source, groups = ConfigSource(config_path, cells), ControlGroups()
    workers = total_workers(source.config, affordable_cpus(groups))
    for line in _notices(source, groups, workers):
        click.echo(f"lunapass: {line}", err=True)

    async def run() -> None:
        await supervise(Supervisor(source, workers))

    asyncio.run(run())


def _notices(source: ConfigSource, groups: ControlGroups, workers: int) -> Iterator[str]:
    """Yield the operator's notices for the start."""
    from lunapass.memory_need import memory_limit, memory_need, memory_warning
    from shared.config.cells import USABLE, affordable_cpus
    from shared.config.policy import sentence, weaknesses

    config = source.config
    yield from source.warnings
    yield from map(str, weaknesses(config))
    yield sentence(config)
    if affordable_cpus(groups) < len(USABLE):
        yield (
            f"{workers} workers; the CPU quota of this control group is {groups.cpus():.3g} of "
            f"{len(USABLE)} CPUs"
        )
    if warning := memory_warning(memory_need(config, workers), memory_limit(groups)):
        yield warning
