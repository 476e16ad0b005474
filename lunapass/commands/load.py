"""``lunapass load``."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from loadtest.capacity import Probe
    from loadtest.plan import Plan

GALLERY = Path("build/load/gallery")
CAPACITY_SECONDS = 12.0
CAPACITY_WARM = 3.0


@click.command(help="Play a crowd of people against the service at URL and report what they saw.")
@click.argument("url", default="ws://127.0.0.1:8321/ws")
@click.option("--people", type=float, default=10, show_default=True, help="Most at a time.")
@click.option(
    "--profile",
    "kind",
    type=click.Choice(["soak", "ramp", "spike", "step"]),
    default="soak",
    show_default=True,
)
@click.option("--seconds", type=float, default=60, show_default=True)
@click.option("--arrivals", is_flag=True, help="Take --people as sessions begun in a second.")
@click.option(
    "--fps", type=float, default=5, show_default=True, help="0: a frame after each answer."
)
@click.option("--think", type=float, default=1, show_default=True, help="Seconds between people.")
@click.option(
    "--prepare", type=float, default=2, show_default=True, help="Seconds of mistakes at first."
)
@click.option("--patience", type=float, default=0, help="Seconds to give up after; 0 for never.")
@click.option("--breaks", type=float, default=0, help="Share of connections that break once.")
@click.option("--processes", type=int, default=1, show_default=True, help="Client processes.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--find-capacity", is_flag=True, help="Search the largest crowd that keeps p95 below --bound."
)
@click.option(
    "--bound", type=float, default=200, show_default=True, help="Milliseconds of --find-capacity."
)
@click.option(
    "--gallery",
    type=click.Path(path_type=Path, dir_okay=False),
    default=GALLERY,
    show_default=True,
    help="File of rendered frames; made where it does not exist.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of JPEG files to send instead.",
)
@click.option(
    "--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("build/load"), show_default=True
)
def command(**options: Any) -> None:
    """Make the plan and play it."""
    from loadtest.plan import Plan, Profile

    profile = Profile(options["kind"], options["people"], options["seconds"])
    names = {field.name for field in dataclasses.fields(Plan)} - {"profile", "url"}
    chosen = {name: value for name, value in options.items() if name in names}
    plan = Plan(options["url"], profile, **chosen)
    gallery = _gallery(options["gallery"], options["pictures"], options["models"])
    if options["find_capacity"]:
        asyncio.run(_find_capacity(plan, gallery, options["processes"], options["bound"] / 1000))
    else:
        asyncio.run(_play(plan, gallery, options["processes"], options["output"]))


def _gallery(path: Path, pictures: Path | None, models: Path) -> Path:
    """Find the file of frames, or make it."""
    from loadtest.gallery import Gallery, of_pictures

    if pictures is not None:
        path = path.with_name("pictures")
        of_pictures(sorted(pictures.glob("*.jp*g"))).save(path)
    elif not path.exists():
        from lunapass.demo import make_person
        from shared.config import Config, ModelsSection

        click.echo("rendering the people ...", err=True)
        config = Config(MODELS=ModelsSection(directory=str(models)))
        Gallery.render(make_person(None, config).render_jpeg).save(path)
    return path


async def _play(plan: Plan, gallery: Path, processes: int, output: Path) -> None:
    from loadtest.console import Screen, is_late_client
    from loadtest.report import write
    from loadtest.runner import play

    screen = Screen()
    with screen.live:
        outcome = await play(plan, gallery, processes, screen.show)
    data, page = write(outcome, output)
    click.echo(f"\n{page}\n{data}")
    if plan.fps and is_late_client(outcome.whole, 1 / plan.fps):
        click.echo(
            "this machine was too slow to send in time: use more --processes or machines", err=True
        )
    if outcome.whole.failed:
        sys.exit(1)


async def _find_capacity(plan: Plan, gallery: Path, processes: int, bound: float) -> None:
    from loadtest.capacity import largest_good, search

    async def probe(people: int) -> Probe:
        found = await try_size(plan, people, gallery, processes, bound)
        verdict = "in time" if found.good else "too many"
        click.echo(
            f"{people:5d} people: p95 {1000 * found.p95:6.0f} ms, {found.failed} failed, {verdict}"
        )
        return found

    best = largest_good(await search(probe))
    click.echo(
        f"capacity: {best} people at {plan.fps:g} frames/s with p95 below {1000 * bound:g} ms"
    )


async def try_size(plan: Plan, people: int, gallery: Path, processes: int, bound: float) -> Probe:
    """Try one size of the crowd for some seconds."""
    from loadtest.capacity import judge
    from loadtest.plan import Profile
    from loadtest.runner import play

    profile = Profile("soak", people, CAPACITY_WARM + CAPACITY_SECONDS, warm=CAPACITY_WARM)
    outcome = await play(dataclasses.replace(plan, profile=profile), gallery, processes)
    measured = outcome.between(CAPACITY_WARM + 1, CAPACITY_WARM + CAPACITY_SECONDS)
    measured.failed = outcome.whole.failed
    return judge(people, measured, bound)
