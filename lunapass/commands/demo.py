"""``lunapass demo``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click


@click.command(help="Check a synthetic person with a temporary service; verify the token.")
@click.option("--camera", is_flag=True, help="Keep the service running on port 8321.")
@click.option("--portrait", type=click.Path(path_type=Path, exists=True), help="Another portrait.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Folder of the models.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Folder of the best shot.",
)
def command(camera: bool, portrait: Path | None, models: Path, output: Path) -> None:
    """Run the demonstration."""
    from lunapass.demo import DemoFiles, demonstrate

    asyncio.run(demonstrate(DemoFiles(output), models, portrait, camera=camera))
