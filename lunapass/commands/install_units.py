"""``lunapass install-units``."""

import os
import sys
from pathlib import Path

import click

from lunapass.commands.options import FOLDER, cells_option, config_option

DIRECTORY = Path("/etc/systemd/system")


@click.command(help="Write systemd units for this machine.")
@click.option(
    "--workers",
    default="auto",
    help="Number of workers, one per CPU; auto takes the configured number.",
)
@cells_option
@config_option
@click.option("--directory", type=FOLDER, default=DIRECTORY, help="Folder of the units.")
@click.option("--program", help="Path of the lunapass command, instead of this one.")
def command(
    workers: str,
    cells: int | None,
    config_path: Path | None,
    directory: Path,
    program: str | None,
) -> None:
    """Write the units and print how to start them."""
    from deploy import units
    from shared.config.cells import total_workers, with_cells
    from shared.config.loading import load
    from shared.config.rules import check

    config = with_cells(load(config_path), cells)
    check(config)
    if workers != "auto" and not workers.isdecimal():
        raise click.BadParameter("give a number, or auto", param_hint="--workers")
    count = total_workers(config) if workers == "auto" else int(workers)
    layout = units.Layout(
        cpus=units.worker_cpus(count, config.WORKERS.cpus, sorted(os.sched_getaffinity(0))),
        cells=config.TRANSPORT.cells,
        host=config.LUNA_PASS.host,
        port=config.LUNA_PASS.port,
        cell_port=config.TRANSPORT.cellPort,
        program=program or _program(units.PROGRAM),
        config=str(config_path.absolute()) if config_path else units.CONFIG,
        video_config=_beside(config_path, units.VIDEO_CONFIG),
        systemd=units.systemd_version(),
        makes_code=config.MODELS.provider == "openvino",
    )
    files = units.render(layout)
    if directory == DIRECTORY:
        files = units.without_packaged(files)
    units.write(files, directory)
    click.echo(f"{len(files)} files in {directory}: {layout.cells} cell(s), {count} worker(s)")
    click.echo("start:  systemctl daemon-reload && systemctl enable --now lunapass.target")


def _program(usual: str) -> str:
    """Return the installer's link to the current release if it exists, otherwise this program."""
    return usual if Path(usual).exists() else str(Path(sys.prefix) / "bin" / "lunapass")


def _beside(config_path: Path | None, usual: str) -> str:
    """Return the path of the video worker's configuration, in the same folder."""
    return str(config_path.absolute().parent / Path(usual).name) if config_path else usual
