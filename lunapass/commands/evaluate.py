"""``lunapass evaluate``: error rates on a labelled set, with the stages of a worker."""

import json
import sys
from pathlib import Path

import click

from evaluation.cache import default_folder
from evaluation.gate import RateBound, exceeded, named_rates
from evaluation.sign_thresholds import SECTION
from evaluation.tuning import overlay
from lunapass.commands.options import (
    EXISTING,
    FOLDER,
    PATH,
    config_option,
    html_option,
    json_option,
)
from lunapass.progress import wide_console
from shared.config.loading import load
from shared.config.recommended import recommended
from shared.report import write_report

PIPE_WIDTH = 120
"""Columns of the output if it is not a terminal."""
FPS, FRAMES = 5.0, 20
"""Frame rate of sessions, and frames of a simulated one, unless the options say otherwise."""


def _gates(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> list[RateBound]:
    """Parse the values of ``--fail-above``."""
    try:
        return [RateBound.parse(text) for text in texts]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


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
    "--development",
    metavar="DIR|CSV",
    type=EXISTING,
    help="Another labelled set, on which the thresholds to set are chosen.",
)
@click.option(
    "--groups",
    "group_column",
    metavar="COLUMN",
    default="",
    show_default=False,
    help="Column of the CSV that names groups of people; reports the rates of each.",
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
    show_default=f"{FPS:g}",
    help="Frame rate of folders of images (--sessions) or of simulated sessions (--simulate).",
)
@click.option(
    "--simulate",
    "simulated",
    metavar="N",
    type=click.IntRange(1, 1000),
    help="Draw N sessions from the frames of each presentation, and compare settings on them.",
)
@click.option(
    "--frames",
    type=click.IntRange(2, 1000),
    show_default=str(FRAMES),
    help="With --simulate: frames of a session.",
)
@click.option("--no-cache", is_flag=True, help="Neither read nor store estimates.")
@click.option(
    "--write",
    "toml_file",
    metavar="FILE",
    type=PATH,
    help="With --sessions: write the suggested thresholds of LifeSigns as TOML.",
)
@click.option(
    "--fail-above",
    "gates",
    metavar="RATE=BOUND",
    multiple=True,
    callback=_gates,
    help="Exit with status 1 if a rate is above a bound, such as apcer.print=0.1.",
)
@config_option
def command(
    source: Path,
    json_file: Path | None,
    html_file: Path | None,
    unit: str,
    every: int,
    cache_folder: Path,
    development: Path | None,
    group_column: str,
    whole_sessions: bool,
    fps: float | None,
    simulated: int | None,
    frames: int | None,
    no_cache: bool,
    toml_file: Path | None,
    gates: list[RateBound],
    config_path: Path | None,
) -> None:
    """Measure a labelled set and report the error rates of ISO/IEC 30107-3.

    DIR contains live/ and attack/SPECIES/ with images, videos and folders of FileLogger, optionally
    in one folder per subject. A CSV has the columns path, label, species and subject.

    With --sessions each folder of images and each video is one session. It is judged frame by frame
    by the plugins: those of the recommended configuration, or of the one that is given.

    With --simulate sessions are drawn from frames, to choose AggregateLiveness and
    livenessRefusals.
    """
    config = load(config_path)
    folder = None if no_cache else cache_folder
    if toml_file and not whole_sessions:
        raise click.UsageError("--write needs --sessions")
    if frames and not simulated:
        raise click.UsageError("--frames needs --simulate")
    if fps and not (simulated or whole_sessions):
        raise click.UsageError("--fps needs --sessions or --simulate")
    if simulated:
        if whole_sessions or unit == "frame" or development or group_column:
            raise click.UsageError(
                "--simulate excludes --sessions, --unit frame, --development and --groups"
            )
        from lunapass.simulated_evaluation import evaluate_simulated

        found = evaluate_simulated(
            source,
            config,
            sessions=simulated,
            frames=frames or FRAMES,
            fps=fps or FPS,
            every=every,
            cache_folder=folder,
        )
    elif whole_sessions:
        if unit == "frame" or development:
            raise click.UsageError("--sessions excludes --unit frame and --development")
        from lunapass.session_evaluation import evaluate_sessions

        judging = config if config_path else recommended(config)
        found = evaluate_sessions(
            source,
            judging,
            fps=fps or FPS,
            every=every,
            cache_folder=folder,
            group_column=group_column,
        )
    else:
        from lunapass.frame_evaluation import evaluate_frames

        found = evaluate_frames(
            source,
            config,
            unit=unit,
            every=every,
            cache_folder=folder,
            development=development,
            group_column=group_column,
        )
    found.show(wide_console(PIPE_WIDTH))
    if json_file:
        write_report(json_file, json.dumps(found.summary, indent=1) + "\n")
    if html_file:
        write_report(html_file, found.page())
    if toml_file:
        write_report(toml_file, overlay(found.suggestions, SECTION, "lunapass evaluate --sessions"))
    failed = exceeded(gates, named_rates(found.summary))
    for line in failed:
        click.echo(line, err=True)
    if failed:
        sys.exit(1)
