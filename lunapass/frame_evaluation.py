"""``lunapass evaluate`` of images and videos: the stages of a worker on every frame."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evaluation.cache import Cache, fingerprint
from evaluation.judging import Measured
from evaluation.measuring import measure
from evaluation.report import html
from evaluation.samples import PICTURES, Sample, read
from evaluation.scoring import by_frame, score
from evaluation.summary import summarise
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
    source: Path,
    config: Config,
    *,
    unit: str,
    every: int,
    cache_folder: Path | None,
    development: Path | None,
    group_column: str,
) -> Evaluated:
    """Measure and judge the presentations of a set.

    ``unit`` is ``presentation`` or ``frame``. Without a cache folder no estimate is stored. The
    thresholds to set are chosen on the development set, if there is one.

    Raises:
        ResourceError: a set is not laid out as one.
    """
    rules = Rules.of(config)
    samples = read(source, PICTURES | VIDEOS, group_column)
    others = read(development, PICTURES | VIDEOS) if development else []
    cache = Cache.of(config, cache_folder, fingerprint)
    frames = Media.of(config).frames
    window = _window(config) if unit == "presentation" else 1

    @lru_cache(1)
    def estimator() -> Estimator:
        return Estimator(load_backend(config), rules, exhaustive=True)

    def measured(samples: list[Sample]) -> list[Measured]:
        found = measure(samples, estimator, frames, cache, every)
        return list(watched(found, len(samples), lambda one: one.sample.name))

    def apart(found: list[Measured]) -> list[Measured]:
        return [part for one in found for part in by_frame(one)] if unit == "frame" else found

    files = measured(samples)
    presentations = apart(files)
    summary = summarise(
        [score(one, rules, window) for one in presentations],
        rules,
        unit=unit,
        window=window,
        development=[score(one, rules, window) for one in apart(measured(others))],
    )

    def page() -> str:
        named = {one.sample.name: one for one in presentations}
        title = f"Evaluation of {source.name}"
        return html(summary, title, lambda name: worst_frame(named[name], frames, every))

    return Evaluated(summary, partial(_print, summary, files), page)


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
    for row in summary["served"]["whatToSet"]:
        console.print(
            f"{row['aim']}: livenessScore = {row['livenessScore']:g}, as served BPCER"
            f" {percent(row['bpcer'])}, worst APCER {percent(row['apcerMax'])}",
            highlight=False,
        )
    for note in summary["notes"]:
        console.print(note, style="yellow", markup=False, highlight=False)
    cached = sum(one.cached for one in measured)
    console.print(f"{len(measured)} samples, {cached} of them from the cache")


def _cells(rate: float | None, interval: dict[str, Any] | None) -> tuple[str, str, str]:
    if interval is None:
        return "-", "", ""
    low, high = interval["wilson"]
    return percent(rate), f"{interval['errors']}/{interval['of']}", f"{low:.3f}-{high:.3f}"
