"""``lunapass evaluate``: error rates on a labelled set, with the stages of a worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from evaluation.cache import Cache, default_folder, fingerprint
from evaluation.judging import Measured
from evaluation.measuring import measure
from evaluation.report import html
from evaluation.samples import PICTURES, read
from evaluation.summary import by_frame, score, summarise
from evaluation.thumbnails import worst_frame
from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from lunapass.commands.options import EXISTING, FOLDER, config_option, html_option, json_option
from lunapass.media import VIDEOS, Media
from lunapass.progress import watched, wide_console
from shared.config.loading import load
from shared.config.recommended import recommended
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.report import percent, write_report

PIPE_WIDTH = 120
"""Columns of the output if it is not a terminal."""


@click.command("evaluate")
@click.argument("source", metavar="DIR|CSV", type=EXISTING)
@json_option
@html_option
@click.option(
    "--unit",
    type=click.Choice(["presentation", "frame"]),
    default="presentation",
    help="Count files, or single frames (a frame has its file's subject).",
)
@click.option(
    "--every", type=click.IntRange(min=1), default=1, help="Take every n-th frame of a video."
)
@click.option(
    "--cache",
    "cache_folder",
    metavar="DIR",
    type=FOLDER,
    default=default_folder,
    show_default=False,
    help="Where to store estimates, to resume a run.  [default: the user's cache]",
)
@click.option(
    "--sessions",
    "whole_sessions",
    is_flag=True,
    help="Judge whole sessions by the plugins: accepted, asked for an action, refused.",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0.1, max=100),
    default=5.0,
    help="With --sessions: frames per second of folders of images.",
)
@click.option("--no-cache", is_flag=True, help="Neither read nor store estimates.")
@config_option
def command(
    source: Path,
    json_file: Path | None,
    html_file: Path | None,
    unit: str,
    every: int,
    cache_folder: Path,
    whole_sessions: bool,
    fps: float,
    no_cache: bool,
    config_path: Path | None,
) -> None:
    """Measure a labelled set and report the error rates of ISO/IEC 30107-3.

    DIR contains live/ and attack/SPECIES/ with images, videos and folders of FileLogger, optionally
    in one folder per subject. A CSV has the columns path, label, species and subject.

    With --sessions each folder of images and each video is one session. It is judged frame by frame
    by the plugins: those of the recommended configuration, or of the one that is given.
    """
    config = load(config_path)
    if whole_sessions:
        if html_file or unit == "frame":
            raise click.UsageError("--sessions excludes --html and --unit frame")
        from lunapass.session_evaluation import evaluate_sessions, print_sessions

        judging = config if config_path else recommended(config)
        folder = None if no_cache else cache_folder
        sessions = evaluate_sessions(source, judging, fps=fps, every=every, cache_folder=folder)
        print_sessions(sessions, wide_console(PIPE_WIDTH))
        if json_file:
            write_report(json_file, json.dumps(sessions, indent=1) + "\n")
        return
    rules = Rules.of(config)
    samples = read(source, PICTURES | VIDEOS)
    cache = None if no_cache else Cache(cache_folder, fingerprint(config))
    frames = Media.of(config).frames

    def estimator() -> Estimator:
        return Estimator(load_backend(config), rules, exhaustive=True)

    found = measure(samples, estimator, frames, cache, every)
    measured = list(watched(found, len(samples), lambda one: one.sample.name))
    window = _window(config) if unit == "presentation" else 1
    apart = [part for one in measured for part in by_frame(one)] if unit == "frame" else measured
    summary = summarise(
        [score(one, rules, window) for one in apart], rules, unit=unit, window=window
    )
    _print(summary, measured)
    if json_file:
        write_report(json_file, json.dumps(summary, indent=1) + "\n")
    if html_file:
        named = {one.sample.name: one for one in apart}
        title = f"Evaluation of {source.name}"
        page = html(summary, title, lambda name: worst_frame(named[name], frames, every))
        write_report(html_file, page)


def _window(config: Config) -> int:
    """Return the number of frames over which the service takes the mean."""
    aggregate = config.MIDDLEWARES.WS.AggregateLiveness
    return aggregate.args.framesCount if aggregate.isEnabled else 1


def _print(summary: dict[str, Any], measured: list[Measured]) -> None:
    console = wide_console(PIPE_WIDTH)
    table = Table(box=None)
    table.add_column("", no_wrap=True)
    for heading in ("liveness alone", "errors", "95 %", "as served", "errors", "95 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    served = summary["served"]
    intervals = summary["intervals"], served["intervals"]
    for name in summary["served"]["apcer"]:
        cells = (
            _cells(rates["apcer"].get(name), interval["apcer"].get(name))
            for rates, interval in zip((summary, served), intervals, strict=True)
        )
        table.add_row(escape(f"APCER {name}"), *next(cells), *next(cells))
    table.add_row(
        "BPCER",
        *_cells(summary["bpcer"], intervals[0]["bpcer"]),
        *_cells(served["bpcer"], intervals[1]["bpcer"]),
    )
    table.add_row("ACER", percent(summary["acer"]), "", "", percent(served["acer"]), "", "")
    console.print(table)
    for note in summary["notes"]:
        console.print(note, style="yellow", markup=False, highlight=False)
    cached = sum(one.cached for one in measured)
    console.print(f"{len(measured)} samples, {cached} of them from the cache")


def _cells(rate: float | None, interval: dict[str, Any] | None) -> tuple[str, str, str]:
    if interval is None:
        return "-", "", ""
    low, high = interval["wilson"]
    return percent(rate), f"{interval['errors']}/{interval['of']}", f"{low:.3f}-{high:.3f}"
