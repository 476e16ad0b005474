"""Options that several subcommands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from shared.config.handover import PartSource

MAX_CELLS_HERE = 64
"""Cells of one machine, as [TRANSPORT] cells allows."""

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)
EXISTING_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)

config_option = click.option("--config", "config_path", type=FILE, help="Configuration file.")
json_option = click.option(
    "--json", "json_file", metavar="FILE", type=PATH, help="Write the report as JSON."
)
html_option = click.option(
    "--html", "html_file", metavar="FILE", type=PATH, help="Write the report as an HTML page."
)
cells_option = click.option(
    "--cells", type=click.IntRange(1, MAX_CELLS_HERE), help="Number of cells on this machine."
)
ROLE_OPTIONS = (
    click.option(
        "--parent", type=int, hidden=True, help="Exit when this supervisor process exits."
    ),
    config_option,
    click.option(
        "--part",
        "part_path",
        type=FILE,
        help="File with this role's part of the configuration, from 'lunapass config parts'.",
    ),
    click.option(
        "--part-fd", type=int, hidden=True, help="Inherited socket that delivers the part."
    ),
    cells_option,
    click.option(
        "--cell",
        type=click.IntRange(0, MAX_CELLS_HERE - 1),
        help="Index of this cell, from 0.",
    ),
)


def role_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every role has: configuration, cell and parent."""
    for option in ROLE_OPTIONS:
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
    """Return the source of a role's configuration, according to its options.

    A role must call this first: it hides the process's memory before it reads the part, which
    contains secrets.

    Raises:
        ConfigError: the configuration does not allow a start.
    """
    from shared.process.process import hide_memory

    hide_memory()
    from shared.config.handover import PartFile, PartSocket

    if part_fd is not None:
        return PartSocket(role, part_fd)
    if part_path is None:
        # Parses keys with libraries that take a tenth of a second to load.
        from shared.config.whole_file import WholeFile

        return WholeFile(role, config_path, cell, cells)
    if config_path is not None or cells is not None:
        raise click.UsageError("--part has the configuration; remove --config and --cells")
    return PartFile(role, part_path, cell)
