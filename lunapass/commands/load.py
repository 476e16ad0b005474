"""``lunapass load``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from lunapass.commands.options import EXISTING_FOLDER, FILE, FOLDER, PATH
from shared.errors import ResourceError, os_errors

if TYPE_CHECKING:
    from loadtest.capacity import TriedSize
    from loadtest.gate import Gate
    from loadtest.plan import Plan

GALLERY = Path("build/load/gallery")
PICTURES = (".jpg", ".jpeg")

CHOSEN_BY_SEARCH = {
    **dict.fromkeys(("people", "seconds", "kind", "arrivals"), "chooses the load itself"),
    "gates": "has its own limit, --bound",
}
ONLY_IN_SEARCH = {"bound": "is not given"}
"""Why an option is refused with and without ``--find-capacity``."""


class Number(click.FloatRange):
    """A number within limits that also refuses NaN, which passes every comparison."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Convert and check a value."""
        if math.isnan(found := super().convert(value, param, ctx)):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


NOT_NEGATIVE = Number(0, 86400)
ABOVE_ZERO = Number(0, 1e6, min_open=True)


def _address(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Check that a value is the address of a WebSocket."""
    with contextlib.suppress(ValueError):  # urlsplit raises it for wrong brackets and ports
        parts = urlsplit(value)
        if parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0:
            return value
    raise click.BadParameter(f"found {value!r}; allowed is ws://HOST:PORT/ws or wss://HOST/ws")


def _gates(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[Gate, ...]:
    """Parse the limits before a run of hours."""
    from loadtest.gate import Gate

    try:
        return tuple(map(Gate.parse, values))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(help="Load-test the service at URL with synthetic people and write a report.")
@click.argument("url", callback=_address, default="ws://127.0.0.1:8321/ws")
@click.option("--people", type=ABOVE_ZERO, default=10, help="Maximum concurrent kiosks.")
@click.option(
    "--profile",
    "kind",
    type=click.Choice(["soak", "ramp", "spike", "step"]),
    default="soak",
    help="The load over time.",
)
@click.option("--seconds", type=ABOVE_ZERO, default=60, help="Length of the run.")
@click.option("--arrivals", is_flag=True, help="Take --people as new sessions per second.")
@click.option(
    "--fps",
    type=NOT_NEGATIVE,
    default=5,
    help="Frames per second and person; 0: one frame after each answer.",
)
@click.option("--think", type=NOT_NEGATIVE, default=1, help="Seconds between people.")
@click.option(
    "--prepare",
    type=NOT_NEGATIVE,
    default=2,
    help="Seconds at the start during which the person poses wrongly.",
)
@click.option(
    "--patience",
    type=NOT_NEGATIVE,
    default=0,
    help="Seconds after which a person gives up; 0 for never.",
)
@click.option(
    "--breaks",
    type=click.FloatRange(0, 1),
    default=0,
    help="Share of the sessions (0..1) whose connection breaks once.",
)
@click.option("--processes", type=click.IntRange(1, 64), default=1, help="Client processes.")
@click.option("--seed", type=int, default=0, help="Seed of random numbers.")
@click.option(
    "--find-capacity",
    is_flag=True,
    help="Find the largest number of people that keeps p95 below --bound; cannot be used with "
    "--people, --seconds, --profile, --arrivals or --fail-above.",
)
@click.option(
    "--bound",
    type=ABOVE_ZERO,
    default=200,
    help="Limit of p95 for --find-capacity, in milliseconds.",
)
@click.option(
    "--fail-above",
    "gates",
    metavar="PERCENTILE=TIME",
    multiple=True,
    callback=_gates,
    help="Exit with status 1 if a percentile of the latency is above a time, such as p95=200ms.",
)
@click.option(
    "--gallery",
    type=FILE,
    default=GALLERY,
    help="File of rendered frames; created if it does not exist.",
)
@click.option("--pictures", type=EXISTING_FOLDER, help="Folder of JPEG files to send instead.")
@click.option(
    "--models",
    type=PATH,
    default=Path("models"),
    help="Folder of the models that render the frames.",
)
@click.option(
    "--start-token",
    type=click.Path(exists=True, dir_okay=False),
    help="Service configuration used to sign a start token for each session.",
)
@click.option("--consent", metavar="VERSION", help="Version of the text that each person accepts.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False),
    help="Private key in PEM that signs start tokens; default: the configuration's shared secret.",
)
@click.option("--output", type=FOLDER, default=Path("build/load"), help="Folder of the reports.")
def command(**options: Any) -> None:
    """Run a load test, or search the capacity."""
    from loadtest.plan import LoadProfile, Plan

    _check_exclusions(click.get_current_context(), options["find_capacity"])
    _check_writable(options["output"])

    profile = LoadProfile(options["kind"], options["people"], options["seconds"])
    names = {field.name for field in dataclasses.fields(Plan)} - {"profile", "url"}
    chosen = {name: value for name, value in options.items() if name in names}
    plan = Plan(options["url"], profile, **chosen)
    plan.start_token_source()  # a wrong key stops the command here, before the client processes
    gallery = _gallery(options["gallery"], options["pictures"], options["models"])
    processes, output = options["processes"], options["output"]
    if options["find_capacity"]:
        bound = options["bound"] / 1000
        asyncio.run(_find_capacity(plan, gallery, processes, bound, output))
    else:
        asyncio.run(_play(plan, gallery, processes, output, options["gates"]))


def _check_exclusions(ctx: click.Context, find_capacity: bool) -> None:
    excluded = CHOSEN_BY_SEARCH if find_capacity else ONLY_IN_SEARCH
    for name, why in excluded.items():
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(p.opts[0] for p in ctx.command.params if p.name == name)
            raise click.UsageError(f"--find-capacity {why}; remove {option}")


def _check_writable(folder: Path) -> None:
    """Check before a run of hours that its report can be written."""
    with os_errors(f"--output {folder}: cannot write there"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def _gallery(path: Path, pictures: Path | None, models: Path) -> Path:
    """Return the file of frames; create it if necessary."""
    from loadtest.gallery import Gallery, of_images

    if pictures is not None:
        found = [file for file in pictures.iterdir() if file.suffix.lower() in PICTURES]
        if not found:
            raise ResourceError(f"--pictures {pictures}: found no file that ends in .jpg or .jpeg")
        path = path.with_name("pictures")
        of_images(found).save(path)
    elif path.exists():
        Gallery.load(path)
    else:
        from lunapass.demo import make_person
        from shared.config.service import Config, ModelsSection

        click.echo("rendering the people ...", err=True)
        config = Config(MODELS=ModelsSection(directory=str(models)))
        Gallery.render(make_person(None, config).render_jpeg).save(path)
    return path


async def _play(
    plan: Plan, gallery: Path, processes: int, output: Path, gates: tuple[Gate, ...]
) -> None:
    from loadtest.console import Screen
    from loadtest.reaching import reach
    from loadtest.report import notes, write
    from loadtest.runner import play

    await reach(plan.url)
    stop = asyncio.Event()
    _stop_at_interrupt(stop)
    screen = Screen()
    with screen.live:
        outcome = await play(plan, gallery, processes, screen.show, stop)
    data, page = write(outcome, output)
    click.echo(f"\n{page}\n{data}")
    failures = [failure for gate in gates if (failure := gate.failure(outcome.whole))]
    for note in (*notes(outcome), *failures):
        click.echo(note, err=True)
    if outcome.whole.failed or failures:
        sys.exit(1)


def _stop_at_interrupt(stop: asyncio.Event) -> None:
    """Let Ctrl-C end the run with a report; a second Ctrl-C ends it at once."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupted)


async def _find_capacity(
    plan: Plan, gallery: Path, processes: int, bound: float, output: Path
) -> None:
    from loadtest.capacity import MAX_PEOPLE, largest_good, search, try_size, write
    from loadtest.reaching import reach

    await reach(plan.url)

    async def probe(people: int) -> TriedSize:
        found, _ = await try_size(plan, people, gallery, processes, bound)
        click.echo(str(found))
        return found

    tried = await search(probe)
    best = largest_good(tried)
    if best is None:
        click.echo(f"capacity: none; p95 is not below {1000 * bound:g} ms even for one person")
    else:
        more = " or more" if best.people == MAX_PEOPLE else ""
        click.echo(
            f"capacity: {best.people} people{more}, {best.fps:.1f} frames/s judged, "
            f"p95 {1000 * best.p95:.0f} ms, below {1000 * bound:g} ms"
        )
    click.echo(write(tried, plan, bound, output))
    if any(found.client_late for found in tried if not found.good):
        click.echo(
            "this machine could not send in time: the service's capacity may be higher; "
            "use more --processes or machines",
            err=True,
        )
    if best is None:
        sys.exit(1)
