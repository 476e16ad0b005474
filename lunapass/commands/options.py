"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path

import click

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
