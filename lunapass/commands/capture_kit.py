"""``lunapass capture-kit``: record a labelled set at your own kiosk."""

from collections.abc import Iterator
from pathlib import Path

import click

from evaluation.capture import SPECIES, Capture, plan_capture
from lunapass.commands.options import EXISTING_FOLDER, FOLDER, PATH, config_option
from shared.config.loading import load
from shared.config.service import Config
from shared.errors import ConfigError, ResourceError
from shared.frame.estimation import Image
from shared.report import write_report

MIN_FRAMES = 20
"""Frames of a session that other configurations can be tried on."""


@click.group()
def command() -> None:
    """Record live and attack sessions at a kiosk, for 'evaluate --sessions'."""


@command.command("sheets")
@click.argument("page", metavar="PAGE.html", type=PATH)
@click.option(
    "--portraits",
    metavar="DIR",
    type=EXISTING_FOLDER,
    required=True,
    help="Images of faces, such as generated ones or those of people who agreed.",
)
@config_option
def write_sheets(page: Path, portraits: Path, config_path: Path | None) -> None:
    """Write portraits as one page, to print and to show on phones and tablets."""
    from evaluation.capture_sheets import sheets

    write_report(page, sheets(_portraits(portraits, load(config_path))))


def _portraits(folder: Path, config: Config) -> Iterator[tuple[str, Image]]:
    from evaluation.samples import PICTURES
    from lunapass.media import Media

    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not files:
        raise ResourceError(f"--portraits: there is no image in {folder}")
    media = Media(config.LIMITS)
    for file in files:
        yield file.stem, next(media.frames(file))


@command.command("record")
@click.argument("target", metavar="SET", type=FOLDER)
@click.option(
    "--person",
    "people",
    multiple=True,
    required=True,
    help="A person who is checked live, and whom attacks show; may be repeated.",
)
@click.option(
    "--portrait",
    "portraits",
    multiple=True,
    help="A portrait of the sheets, which only attacks show; may be repeated.",
)
@click.option(
    "--species",
    multiple=True,
    default=SPECIES,
    help="A kind of attack; may be repeated.",
)
@click.option(
    "--times", type=click.IntRange(1, 100), default=3, help="Sessions of each kind and person."
)
@config_option
def record(
    target: Path,
    people: tuple[str, ...],
    portraits: tuple[str, ...],
    species: tuple[str, ...],
    times: int,
    config_path: Path | None,
) -> None:
    """Say what to do at the kiosk, and copy each session of FileLogger to its place in SET.

    Run it where the service runs, as a user who may read FileLogger's path. Let no one else use the
    kiosk meanwhile: all sessions of a step get its label. A capture that was stopped continues
    where it was.
    """
    steps = plan_capture(people, portraits, species, times)
    logs = _logs(load(config_path))
    Capture(logs, target, _ask, click.echo).run(steps)
    click.echo(f"The set is in {target}. To judge it: lunapass evaluate --sessions {target}")


def _ask(request: str) -> str:
    answer: str = click.prompt(request, default="", show_default=False)
    return answer


def _logs(config: Config) -> Path:
    """Return FileLogger's path; warn of what makes recordings short or stops them."""
    plugins = config.MIDDLEWARES.WS
    if not plugins.FileLogger.isEnabled:
        raise ConfigError(
            "[MIDDLEWARES.WS.FileLogger] is off: set isEnabled = 1 and restart the service"
        )
    if limit := config.LIMITS.refusedSessionsPerAddress:
        click.echo(
            f"note: LIMITS.refusedSessionsPerAddress = {limit} makes the kiosk pause after as many"
            " refused sessions an hour; set it to 0 for the capture",
            err=True,
        )
    aggregate = plugins.AggregateLiveness
    if not aggregate.isEnabled or aggregate.args.framesCount < MIN_FRAMES:
        click.echo(
            "note: sessions end at the first decision; with AggregateLiveness on and its"
            f" args.framesCount = {MIN_FRAMES} they have frames enough to try other settings on",
            err=True,
        )
    return Path(plugins.FileLogger.args.path)
