"""``lunapass gateway``."""

from __future__ import annotations

from pathlib import Path

import click

from lunapass.commands.options import cell_option, cells_option, config_option, parent_option


@click.command(help="Run one gateway.")
@click.option("--listen-fd", type=int, multiple=True, hidden=True, help="Inherited descriptors.")
@click.option("--kept", is_flag=True, hidden=True, help="They outlive this gateway.")
@cell_option
@cells_option
@config_option
@parent_option
def command(
    listen_fd: tuple[int, ...],
    kept: bool,
    cell: int | None,
    cells: int | None,
    config_path: Path | None,
    parent: int | None,
) -> None:
    """Run the role in this process."""
    from gateway.service import run
    from shared.cells import of_cell
    from shared.config_source import ConfigSource
    from shared.listening import adopt, inherited, opened

    source = ConfigSource(config_path)
    config = of_cell(source.config, cell, cells)
    handed = adopt(listen_fd, kept=kept) if listen_fd else inherited()
    run(config, source, handed or opened(config), parent=parent)
