"""Options that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shared.config.handover import PartSource

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file.",
)
parent_option = click.option(
    "--parent", type=int, hidden=True, help="Process id of the supervisor to outlive never."
)
cell_option = click.option("--cell", type=int, help="Number of the cell on this machine.")
cells_option = click.option("--cells", type=int, help="Cells of this machine.")
part_option = click.option(
    "--part",
    "part_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with this role's part of the configuration, from 'lunapass config parts'.",
)
part_fd_option = click.option(
    "--part-fd", type=int, hidden=True, help="Inherited socket through which parts come."
)


def role_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every role has: its configuration, its cell, its parent."""
    for option in (
        parent_option,
        config_option,
        part_option,
        part_fd_option,
        cells_option,
        cell_option,
    ):
        command = option(command)
    return command


def part_source(
    role: str,
    *,
    config_path: Path | None,
    part_path: Path | None,
    part_fd: int | None,
    cell: int | None,
    cells: int | None,
) -> PartSource:
    """Choose where a role's configuration comes from, by its options.

    A role calls this before anything else: it hides the process's memory, and then reads the part,
    which holds secrets.

    Raises:
        ConfigError: the configuration does not allow a start.
    """
    from shared.process.process import hide_memory

    hide_memory()
    from shared.config.handover import PartFile, PartSocket, WholeFile

    if part_fd is not None:
        return PartSocket(role, part_fd)
    if part_path is None:
        return WholeFile(role, config_path, cell, cells)
    if config_path is not None or cells is not None:
        raise click.UsageError("--part holds the configuration; leave --config and --cells out")
    return PartFile(role, part_path, cell)
