"""``lunapass adapt``: trains a site head on a place's own live frames."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from evaluation.adapt.checking import compare
from evaluation.adapt.observing import Gathered, Observer, SimulationPlan, gather, spread
from evaluation.adapt.report import html
from evaluation.adapt.result import Adaptation, Row, head_file
from evaluation.adapt.training import train
from evaluation.samples import PICTURES, Sample, read, read_people
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend, passive_liveness
from inference_pool.onnx.liveness import liveness_models
from lunapass.commands.options import (
    EXISTING,
    EXISTING_FOLDER,
    FILE,
    config_option,
    html_option,
    json_option,
)
from lunapass.media import VIDEOS, Media
from lunapass.progress import watched
from shared.config.loading import load
from shared.config.service import Config
from shared.errors import ConfigError, ModelError, ResourceError
from shared.frame.checks import Rules
from shared.report import percent, write_report

MIN_FRAMES, MIN_PEOPLE = 30, 2


@click.command("adapt")
@click.option(
    "--live",
    metavar="DIR",
    type=EXISTING_FOLDER,
    required=True,
    help="Live frames: a folder per person with images, videos or folders of FileLogger.",
)
@click.option(
    "--out", metavar="FILE", type=FILE, default="site-head.json", help="Where to write the head."
)
@click.option(
    "--check",
    metavar="DIR|CSV",
    type=EXISTING,
    help="Labelled set; write the head only if it lowers the error there (else exit status 1).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of the simulation.")
@click.option(
    "--recaptures",
    type=click.IntRange(1, 50),
    default=3,
    help="Simulated frames of each kind from each live frame.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    help="Take every n-th frame of a video or session.",
)
@json_option
@html_option
@config_option
def command(
    live: Path,
    out: Path,
    check: Path | None,
    seed: int,
    recaptures: int,
    every: int,
    json_file: Path | None,
    html_file: Path | None,
    config_path: Path | None,
) -> None:
    """Train a head that corrects the liveness score for one place, and write it to a file.

    Simulates prints and screens that show the live frames of DIR, and learns to tell both apart by
    what the liveness networks see. Set MODELS.siteHead to the file to use it. No image leaves this
    machine. Needs at least 30 frames of 2 people, which must be live.
    """
    config = load(config_path)
    setup = LivenessSetup(config)
    plan = SimulationPlan(seed, recaptures, every)
    people = spread(read_people(live, PICTURES | VIDEOS))
    gathered = gather(_shown(people, "simulating"), setup.frames, setup.observer, plan)
    _require_enough(gathered)
    trained = train(gathered.observations)
    found = Adaptation(gathered, trained, head_file(gathered, trained, setup.models, seed))
    if check is not None:
        samples = read(check, PICTURES | VIDEOS)
        comparison = compare(
            _shown(samples, "checking"),
            setup.frames,
            setup.observer,
            trained.head,
            trained_on=gathered.files,
            every=every,
        )
        found = replace(found, comparison=comparison)
    _print(found)
    if json_file:
        write_report(json_file, json.dumps(found.data(), indent=1) + "\n")
    if html_file:
        write_report(html_file, html(found))
    if not found.may_be_written:
        sys.exit(1)
    write_report(out, found.file.text())
    use = f"; to use it, set siteHead = {json.dumps(str(out))} in [MODELS]"
    click.echo(f"wrote {out}{use if found.is_recommended else ''}")


class LivenessSetup:
    """The networks and the reader of images that a configuration names.

    Raises:
        ConfigError: the backend is another one.
        ModelError: a model is missing, or there is no liveness network.
    """

    def __init__(self, config: Config) -> None:
        if config.WORKERS.backend != "onnx":
            raise ConfigError(
                f"WORKERS.backend: found {config.WORKERS.backend!r}; only 'onnx' has site heads"
            )
        section = config.MODELS
        store = ModelStore(
            section.directory, section.provider, bool(section.rewritePrelu), embeddings=True
        )
        third = section.thirdLiveness
        networks = passive_liveness(store, third=third)
        if networks is None:
            raise ModelError("there is no liveness model to correct; run 'lunapass models pull'")
        self.models = {
            network.role: store.loaded[network.role]
            for network in liveness_models(store.kind, third=third)
        }
        self.observer = Observer(OnnxBackend(store), networks, Rules.of(config))
        self.frames = Media.of(config).frames


def _shown(samples: Sequence[Sample], task: str) -> Iterator[Sample]:
    return watched(samples, len(samples), lambda one: one.name, task)


def _require_enough(gathered: Gathered) -> None:
    frames, people = gathered.frames.total(), len(gathered.frames)
    if frames >= MIN_FRAMES and people >= MIN_PEOPLE:
        return
    unused = ", ".join(f"{count} with {why}" for why, count in gathered.unused.most_common(5))
    raise ResourceError(
        f"--live: found {frames} usable frames of {people} people; expected at least {MIN_FRAMES}"
        f" of {MIN_PEOPLE}" + (f"; not usable: {unused}" if unused else "")
    )


def _print(found: Adaptation) -> None:
    console = Console()
    origin = found.file.origin
    console.print(
        f"{origin.frames} live frames of {origin.people} people, {origin.recaptures} simulated"
        " recaptures",
        highlight=False,
    )
    _print_table(console, "simulated, by cross-validation", found.rows())
    if found.comparison is not None:
        _print_table(console, "labelled set", found.checked_rows())
    console.print(found.advice, style="bold", markup=False, highlight=False)


def _print_table(console: Console, title: str, rows: Sequence[Row]) -> None:
    table = Table(title, box=None)
    for heading in ("without a head", "with the head"):
        table.add_column(heading, justify="right")
    for name, before, after in rows:
        table.add_row(name, percent(before), percent(after))
    console.print(table)
