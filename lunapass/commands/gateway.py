"""``lunapass gateway``."""

from __future__ import annotations

from pathlib import Path

import click

from lunapass.commands.options import config_option, parent_option


@click.command(help="Run one gateway.")
@config_option
@parent_option
def command(config_path: Path | None, parent: int | None) -> None:
    """Run the role in this process."""
    from gateway.service import run
    from shared.config_loading import load
    from shared.config_rules import check

    config = load(config_path)
    check(config)
    run(config, parent=parent)
