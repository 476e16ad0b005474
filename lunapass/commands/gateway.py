"""``lunapass gateway``."""

from typing import Any

import click

from lunapass.commands.options import part_source, role_options


@click.command(help="Run one gateway.")
@click.option("--listen-fd", type=int, multiple=True, hidden=True, help="Inherited descriptors.")
@click.option("--kept", "inherited", is_flag=True, hidden=True, help="Do not close these on exit.")
@role_options
def command(listen_fd: tuple[int, ...], inherited: bool, parent: int | None, **origin: Any) -> None:
    """Run the role in this process."""
    source = part_source("gateway", **origin)
    from gateway.service import run
    from shared.process.listening import adopt, inherited_listeners, open_listeners

    passed = adopt(listen_fd, inherited=inherited) if listen_fd else inherited_listeners()
    run(source, passed or open_listeners(source.part.config), parent=parent)
