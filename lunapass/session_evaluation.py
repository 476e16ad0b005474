"""``lunapass evaluate --sessions``: whole sessions of a labelled set, judged by the plugins."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aggregator.plugins.registry import Registry
from evaluation.cache import Cache, fingerprint
from evaluation.folders import FolderReader, read_folders
from evaluation.measuring import measure
from evaluation.session_summary import summarise_sessions
from evaluation.verdicts import SessionOutcome, judge_session
from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from inference_pool.worker import make_estimator
from lunapass.media import VIDEOS, Media, frame_rate
from lunapass.progress import watched
from shared.config.policy import sentence
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.report import percent


def evaluate_sessions(
    source: Path,
    config: Config,
    *,
    fps: float,
    every: int,
    cache_folder: Path | None,
) -> dict[str, Any]:
    """Measure and judge the sessions of a set.

    Folders of images have ``fps`` frames per second. Without a cache folder no estimate is stored.

    Returns:
        JSON values: those of ``summarise_sessions``, and ``policy`` in one sentence.

    Raises:
        ConfigError: a plugin cannot be used.
        ResourceError: the set is not laid out as one.
    """
    registry = Registry(config)
    samples = read_folders(source, VIDEOS)
    reader = FolderReader(Media.of(config).frames, frame_rate, fps, every)
    cache = Cache(cache_folder, _fingerprint(config)) if cache_folder else None

    def estimator() -> Estimator:
        return make_estimator(load_backend(config), config)

    measured = measure(samples, estimator, reader.images, cache, every)
    verdicts = []
    for one in watched(measured, len(samples), lambda one: one.sample.name):
        times = reader.times(one.sample.path, len(one.frames))
        verdicts.append(judge_session(one, times, registry, config))
    return {"policy": sentence(config), **summarise_sessions(verdicts)}


def _fingerprint(config: Config) -> str:
    """Name what these estimates depend on: a worker stops at the first failed check."""
    plugins = config.MIDDLEWARES.WS
    on = [
        plugins.AggregateLiveness.isEnabled,
        plugins.FaceMatcher.isEnabled,
        plugins.LifeSigns.isEnabled,
        plugins.LifeSigns.args.fixedCamera,
    ]
    parts = ("sessions", fingerprint(config), Rules.of(config).digest, *map(str, on))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def print_sessions(summary: dict[str, Any], console: Console) -> None:
    """Print the rates of each species and of the live sessions."""
    console.print(summary["policy"], markup=False, highlight=False)
    table = Table(box=None)
    table.add_column("", no_wrap=True)
    headings = ("of", *SessionOutcome, "error", "95 %", "by subject", "asked")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, group in summary["attacks"].items():
        table.add_row(escape(f"APCER {name}"), *_cells(group, group["apcer"]))
    if len(summary["attacks"]) > 1:
        every = summary["allAttacks"]
        table.add_row("all attacks", *_cells(every, every["apcer"]))
    table.add_row("BPCER", *_cells(summary["live"], summary["live"]["bpcer"]))
    console.print(table)


def _cells(group: dict[str, Any], error: dict[str, Any]) -> list[str]:
    by_subject = error["bySubject"]
    return [
        str(group["sessions"]),
        *(str(group["counts"][outcome]) for outcome in SessionOutcome),
        percent(error["rate"]),
        _interval(error["wilson"]) if error["of"] else "-",
        _interval(by_subject) if by_subject else "-",
        percent(group["asked"]["rate"]),
    ]


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.2f}-{bounds[1]:.2f}"
