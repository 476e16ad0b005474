"""``lunapass evaluate --sessions``: whole sessions of a labelled set, judged by the plugins."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aggregator.plugins.registry import Registry
from evaluation.cache import Cache, fingerprint
from evaluation.folders import FolderReader, read_folders
from evaluation.measuring import measure
from evaluation.session_report import html, session_groups
from evaluation.session_summary import summarise_sessions
from evaluation.sign_thresholds import measured_signs, suggest_thresholds
from evaluation.thumbnails import frame_thumbnail
from evaluation.verdicts import SessionOutcome, judge_session
from evaluation.whatif import Suggestion
from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from inference_pool.worker import make_estimator
from lunapass.evaluated import Evaluated
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
    group_column: str,
) -> Evaluated:
    """Measure and judge the sessions of a set.

    Folders of images have ``fps`` frames per second. Without a cache folder no estimate is stored.
    The summary is that of ``summarise_sessions``, and ``policy`` in one sentence.

    Raises:
        ConfigError: a plugin cannot be used.
        ResourceError: the set is not laid out as one.
    """
    registry = Registry(config)
    samples = read_folders(source, VIDEOS, group_column)
    reader = FolderReader(Media.of(config).frames, frame_rate, fps, every)
    cache = Cache.of(config, cache_folder, _fingerprint)

    def estimator() -> Estimator:
        return make_estimator(load_backend(config), config)

    measured = measure(samples, estimator, reader.images, cache, every)
    verdicts = []
    for one in watched(measured, len(samples), lambda one: one.sample.name):
        times = reader.times(one.sample.path, len(one.frames))
        verdicts.append(judge_session(one, times, registry, config))
    summary = {"policy": sentence(config), **summarise_sessions(verdicts)}
    signs = measured_signs(summary["sessions"], config.MIDDLEWARES.WS.LifeSigns.args)
    suggestions = list(suggest_thresholds(signs))
    last = {one.sample.name: (one.sample.path, every * (one.frames - 1)) for one in verdicts}

    def page() -> str:
        title = f"Evaluation of the sessions of {source.name}"
        return html(
            summary,
            signs,
            suggestions,
            title,
            lambda name: frame_thumbnail(reader.images, *last[name]),
        )

    return Evaluated(summary, partial(print_sessions, summary, suggestions), page, suggestions)


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


def print_sessions(
    summary: dict[str, Any], suggestions: Sequence[Suggestion], console: Console
) -> None:
    """Print the rates of the live sessions and of each species, and suggested thresholds."""
    console.print(summary["policy"], markup=False, highlight=False)
    table = Table(box=None)
    table.add_column("", no_wrap=True)
    headings = ("of", *SessionOutcome, "error", "95 %", "by subject", "asked")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, group, error in session_groups(summary):
        table.add_row(escape(name), *_cells(group, error))
    console.print(table)
    console.print(f"half total error {percent(summary['halfTotalError'])}", highlight=False)
    for one in suggestions:
        change = f"{one.key}: {one.now:g} -> {one.value:g} ({one.reason}; {one.cost})"
        console.print(change, markup=False, highlight=False)
    for note in summary["notes"]:
        console.print(note, style="yellow", markup=False, highlight=False)


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
