"""``lunapass gateway``."""

from __future__ import annotations

from typing import Any

import click

from lunapass.commands.options import part_source, role_options


@click.command(help="Run one gateway.")
@click.option("--listen-fd", type=int, multiple=True, hidden=True, help="Inherited descriptors.")
@click.option("--kept", is_flag=True, hidden=True, help="They outlive this gateway.")
@role_options
def command(listen_fd: tuple[int, ...], kept: bool, parent: int | None, **origin: Any) -> None:
    """Run the role in this process."""
    source = part_source("gateway", **origin)
    from gateway.service import run
    from shared.process.listening import adopt, inherited, opened

    handed = adopt(listen_fd, kept=kept) if listen_fd else inherited()
    run(source, handed or opened(source.part.config), parent=parent)
