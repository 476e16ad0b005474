"""``lunapass check``: judge images or videos as the service would."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import cv2
from rich.markup import escape
from rich.table import Table

from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from lunapass.commands.options import FOLDER, config_option
from lunapass.drawing import draw
from lunapass.media import Media
from lunapass.progress import wide_console
from shared.codes import Code, finding, hint
from shared.config.loading import load
from shared.errors import FrameError, os_errors
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Profile

PIPE_WIDTH = 200
"""Columns of the table if the output is not a terminal."""


@dataclass(frozen=True, slots=True)
class CheckedFrame:
    """One frame of a file.

    Attributes:
        number: number of the frame in the file, from 1; for a refused frame, the previous number.
        estimate: its estimate; a refused frame has width and height 0.
        refused: why the service would refuse the frame; empty for a judged frame.
    """

    path: Path
    number: int
    estimate: Estimate
    refused: str = ""


@click.command("check")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object per frame.")
@click.option(
    "--draw",
    "draw_into",
    metavar="DIR",
    type=FOLDER,
    help="Write each frame with box, mesh and scores to a folder.",
)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.PASSIVE.value,
    help="Which checks are run and judged.",
)
@click.option("--mirrored", is_flag=True, help="The images are mirrored, as from a selfie camera.")
@click.option(
    "--all/--until-failure",
    "exhaustive",
    default=True,
    help="Continue after a failed stage, or stop as a worker does.",
)
@config_option
def command(
    files: tuple[Path, ...],
    as_json: bool,
    draw_into: Path | None,
    profile: str,
    mirrored: bool,
    exhaustive: bool,
    config_path: Path | None,
) -> None:
    """Judge images or videos with the decoder and the stages of the service.

    Each frame is listed as ok, or with the codes of the first failed stage and their meanings. A
    frame that the service would refuse has code 1 and the reason; with any such frame the exit
    status is 1.
    """
    if draw_into is not None and len({path.name for path in files}) < len(files):
        raise click.UsageError("--draw needs files with different names")
    config = load(config_path)
    estimator = Estimator(load_backend(config), Rules.of(config), exhaustive=exhaustive)
    judged = _judge(files, Media.of(config), estimator, Profile(profile), mirrored, draw_into)
    refused = _write_json(judged) if as_json else _write_table(judged)
    if refused:
        sys.exit(1)


def _judge(
    files: Iterable[Path],
    media: Media,
    estimator: Estimator,
    profile: Profile,
    mirrored: bool,
    draw_into: Path | None,
) -> Iterator[CheckedFrame]:
    for path in files:
        number = 0
        try:
            for number, image in enumerate(media.frames(path), start=1):
                estimate = estimator.estimate(image, profile, mirrored=mirrored)
                estimate.rotation = media.rotation
                if draw_into is not None:
                    _save(draw(image, estimate, estimator.face), draw_into, path, number)
                yield CheckedFrame(path, number, estimate)
        except FrameError as error:
            failed = Estimate(0, 0, profile, errors=(Code.FRAME_UNDECODABLE,))
            yield CheckedFrame(path, number, failed, str(error))


def _save(drawn: Any, folder: Path, path: Path, number: int) -> None:
    name = folder / f"{path.name}-{number:04d}.jpg"
    with os_errors(f"--draw: cannot write {name}"):
        folder.mkdir(parents=True, exist_ok=True)
        name.write_bytes(cv2.imencode(".jpg", drawn)[1].tobytes())


def _write_json(judged: Iterable[CheckedFrame]) -> int:
    """Write JSON lines; return how many files were refused."""
    refused = 0
    for frame in judged:
        click.echo(json.dumps(as_record(frame)))
        if frame.refused:
            refused += 1
    return refused


def as_record(frame: CheckedFrame) -> dict[str, Any]:
    """Return a frame's measurements as JSON values."""
    record = asdict(frame.estimate)
    del record["descriptor"], record["pixels"]
    record["stage"] = frame.estimate.stage.name.lower()
    record["errors"] = [
        {"code": int(code), "hint": hint(code), "finding": finding(code)}
        for code in frame.estimate.errors
    ]
    record["timings"] = {step: round(ms, 3) for step, ms in frame.estimate.timings.items()}
    about = {"file": str(frame.path), "frame": frame.number, "isOk": frame.estimate.ok}
    return about | {"refused": frame.refused or None} | record


def _write_table(judged: Iterable[CheckedFrame]) -> int:
    """Write a table; return how many files were refused."""
    table = Table("file", "verdict", box=None, pad_edge=False)
    for heading in ("faces", "yaw", "pitch", "roll", "eyes l r", "open smile occl."):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("glasses", no_wrap=True)
    for heading in ("AGS", "live", "quality", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    refused = 0
    for frame in judged:
        table.add_row(*_row(frame))
        if frame.refused:
            refused += 1
    wide_console(PIPE_WIDTH).print(table)
    return refused


def _row(frame: CheckedFrame) -> Iterator[str]:
    estimate = frame.estimate
    pose, eyes, mouth = estimate.head_pose, estimate.eyes, estimate.mouth
    liveness = estimate.liveness
    yield escape(frame.path.name + (f" #{frame.number}" if frame.number > 1 else ""))
    errors = "\n".join(f"{int(code)} {frame.refused or finding(code)}" for code in estimate.errors)
    yield f"[red]{escape(errors)}[/]" if errors else "[green]ok[/]"
    yield str(estimate.faces)
    for angle in (pose.yaw, pose.pitch, pose.roll) if pose else (None, None, None):
        yield f"{angle:+.0f}" if angle is not None else ""
    yield f"{eyes.left:.2f} {eyes.right:.2f}" if eyes else ""
    yield f"{mouth.opened:.2f} {mouth.smile:.2f} {mouth.occluded:.2f}" if mouth else ""
    yield estimate.glasses or ""
    yield f"{estimate.ags:.2f}" if estimate.ags is not None else ""
    yield f"{liveness.score:.2f}" if liveness else ""
    yield f"{liveness.quality_score:.2f}" if liveness else ""
    yield f"{sum(estimate.timings.values()):.1f}"
