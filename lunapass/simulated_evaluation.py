"""``lunapass evaluate --simulate``: sessions drawn from frames, judged with several settings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.cache import Cache, fingerprint
from evaluation.judging import Measured
from evaluation.measuring import measure
from evaluation.notes import sample_notes
from evaluation.samples import ATTACK, LIVE, PICTURES, read
from evaluation.simulation import BLOCK, SEED, SimulatedSessions, presentations, simulate
from evaluation.trade_off import Setting, grid, judge_setting, summarise_trade_off
from evaluation.trade_off_report import html
from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from lunapass.evaluated import Evaluated
from lunapass.media import VIDEOS, Media
from lunapass.progress import watched
from shared.config.service import Config
from shared.errors import ResourceError
from shared.frame.checks import Rules
from shared.report import percent


def evaluate_simulated(
    source: Path,
    config: Config,
    *,
    sessions: int,
    frames: int,
    fps: float,
    every: int,
    cache_folder: Path | None,
) -> Evaluated:
    """Measure the frames of a set, and judge ``sessions`` sessions drawn from each presentation.

    A session has ``frames`` frames at ``fps`` frames per second. Without a cache folder no estimate
    is stored.

    Raises:
        ResourceError: the set is not laid out as one, lacks live presentations or attacks, or has
            single images but no presentation with several liveness scores.
    """
    rules = Rules.of(config)
    samples = read(source, PICTURES | VIDEOS)
    cache = Cache.of(config, cache_folder, fingerprint)

    def estimator() -> Estimator:
        return Estimator(load_backend(config), rules, exhaustive=True)

    found = measure(samples, estimator, Media.of(config).frames, cache, every)
    files = list(watched(found, len(samples), lambda one: one.sample.name))
    summary = compare_settings(files, config, sessions=sessions, frames=frames, fps=fps)
    title = f"Simulated sessions of {source.name}"
    return Evaluated(summary, partial(_print, summary), lambda: html(summary, title))


def compare_settings(
    files: Sequence[Measured],
    config: Config,
    *,
    sessions: int,
    frames: int,
    fps: float,
    block: int = BLOCK,
) -> dict[str, Any]:
    """Judge sessions that are drawn from measured files with each setting of the grid.

    Returns:
        The summary of ``summarise_trade_off``, with ``simulation`` (how the sessions were drawn)
        and ``notes``.

    Raises:
        ResourceError: there are no live presentations, no attacks, or only single images.
    """
    shown = presentations(files)
    drawn = simulate(shown, Rules.of(config), sessions=sessions, frames=frames, block=block)
    kinds = {one.sample.live for one in drawn.sessions}
    if len(kinds) < 2:
        missing = LIVE if True not in kinds else ATTACK
        raise ResourceError(
            f"found no frame in {missing}/; a trade-off needs live and attack frames"
        )
    settings = grid(frames, now := Setting.of(config))
    judged = {
        setting: judge_setting(drawn.sessions, setting, config, fps)
        for setting in watched(settings, len(settings), lambda one: one.rule, "judging")
    }
    return {
        **summarise_trade_off(judged, now),
        "simulation": {
            "sessions": sessions,
            "frames": frames,
            "fps": fps,
            "block": block,
            "seed": SEED,
            "single": drawn.single,
            "deviation": drawn.deviation,
        },
        "notes": [_origin(drawn, sessions, frames, block), *_notes(drawn, files, sessions)],
    }


def _origin(drawn: SimulatedSessions, sessions: int, frames: int, block: int) -> str:
    return (
        f"Each of {len(drawn.sessions) // sessions} presentations gave {sessions} sessions of"
        f" {frames} frames, drawn in blocks of neighbouring frames, {block} on average. They show"
        " what a setting changes. Only recorded sessions show how often people and attackers"
        " succeed. All plugins except AggregateLiveness are off."
    )


def _notes(drawn: SimulatedSessions, files: Sequence[Measured], sessions: int) -> list[str]:
    """Return what a reader must know before quoting a figure."""
    shown = drawn.sessions[::sessions]
    kinds = sorted({one.sample.species for one in shown})
    notes = sample_notes(
        {
            kind: [one.sample.subject for one in shown if one.sample.species == kind]
            for kind in kinds
        }
    )
    if drawn.single:
        notes.append(
            f"{drawn.single} presentation(s) are a single image. Assumed: its score is the mean of"
            " the session, and the log odds deviate from it as in presentations of several frames,"
            f" by {drawn.deviation:.2f} (standard deviation)."
        )
    if refused := [one for one in files if one.refused]:
        first = refused[0]
        notes.append(
            f"The service would refuse {len(refused)} file(s); the first is {first.sample.name}:"
            f" {first.refused}."
        )
    if drawn.unreached:
        live = sum(one.sample.live for one in shown)
        notes.append(
            f"{drawn.unreached} of {live} live presentations have no frame that passes the checks"
            " before liveness, so that every setting refuses them."
        )
    return notes


def _print(summary: dict[str, Any], console: Console) -> None:
    """Print the settings of the front, one of those with equal rates, and the configured one."""
    table = Table(box=None)
    table.add_column("", no_wrap=True)
    names = summary["settings"][0]["apcer"]
    for heading in ("live refused", *names, "worst", "half total error", "frames"):
        table.add_column(escape(heading), justify="right")
    shown = set()
    for row in summary["settings"]:
        rates = (row["bpcer"], *row["apcer"].values(), row["apcerMax"])
        cells = [*(percent(rate["rate"]) for rate in rates), percent(row["halfTotalError"])]
        if row["now"] or (row["front"] and tuple(cells) not in shown):
            name = f"{row['rule']}, {row['limit']}" + (" (configured)" if row["now"] else "")
            frames = "-" if row["liveFrames"] is None else f"{row['liveFrames']:g}"
            table.add_row(name, *cells, frames)
            shown.add(tuple(cells))
    console.print(table)
    console.print(summary["answer"], markup=False, highlight=False)
    for note in summary["notes"]:
        console.print(note, style="yellow", markup=False, highlight=False)
