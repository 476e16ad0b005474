"""``lunapass evaluate`` of images and videos: the stages of a worker on every frame."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.cache import Cache, fingerprint
from evaluation.judging import Measured
from evaluation.measuring import measure
from evaluation.report import html
from evaluation.samples import PICTURES, read
from evaluation.summary import by_frame, score, summarise
from evaluation.thumbnails import worst_frame
from inference_pool.backends import load_backend
from inference_pool.estimator import Estimator
from lunapass.evaluated import Evaluated
from lunapass.media import VIDEOS, Media
from lunapass.progress import watched
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.report import percent


def evaluate_frames(
    source: Path, config: Config, *, unit: str, every: int, cache_folder: Path | None
) -> Evaluated:
    """Measure and judge the presentations of a set.

    ``unit`` is ``presentation`` or ``frame``. Without a cache folder no estimate is stored.

    Raises:
        ResourceError: the set is not laid out as one.
    """
    rules = Rules.of(config)
    samples = read(source, PICTURES | VIDEOS)
    cache = Cache(cache_folder, fingerprint(config)) if cache_folder else None
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

    def page() -> str:
        named = {one.sample.name: one for one in apart}
        title = f"Evaluation of {source.name}"
        return html(summary, title, lambda name: worst_frame(named[name], frames, every))

    return Evaluated(summary, partial(_print, summary, measured), page)


def _window(config: Config) -> int:
    """Return the number of frames over which the service takes the mean."""
    aggregate = config.MIDDLEWARES.WS.AggregateLiveness
    return aggregate.args.framesCount if aggregate.isEnabled else 1


def _print(summary: dict[str, Any], measured: list[Measured], console: Console) -> None:
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
    for name, key in (("ACER", "acer"), ("half total error", "halfTotalError")):
        table.add_row(name, percent(summary[key]), "", "", percent(served[key]), "", "")
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
