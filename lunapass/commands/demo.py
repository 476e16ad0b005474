"""``lunapass demo``."""

import asyncio
from pathlib import Path

import click

from lunapass.commands.options import EXISTING, PATH


@click.command(help="Check a synthetic person with a temporary service and verify the token.")
@click.option(
    "--camera",
    is_flag=True,
    help="Keep the service running on port 8321, so that you can try it with your camera.",
)
@click.option("--portrait", type=EXISTING, help="Portrait to use instead of the default.")
@click.option("--models", type=PATH, default=Path("models"), help="Folder of the models.")
@click.option("--output", type=PATH, default=Path("build/demo"), help="Folder of the best shot.")
def command(camera: bool, portrait: Path | None, models: Path, output: Path) -> None:
    """Run the demonstration."""
    from lunapass.demo import demonstrate

    asyncio.run(demonstrate(output, models, portrait, camera=camera))
