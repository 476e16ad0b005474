"""Compares a head with no head on a labelled set, by a paired bootstrap over people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from evaluation.adapt.observing import Observer
from evaluation.adapt.training import LinearHead, Values
from evaluation.cache import content_hash
from evaluation.measuring import Frames
from evaluation.metrics import quantiles, resampled
from evaluation.samples import LIVE, Sample
from inference_pool.onnx.site_head import HeadErrors
from shared.errors import FrameError, ResourceError

MIN_PEOPLE = 2
"""With fewer people of one kind a bootstrap over people sees no spread."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """A presentation's mean liveness score without and with the head."""

    name: str
    subject: str
    kind: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Errors at .5 without and with a head, and the bootstrap's interval of their change."""

    presentations: list[Presentation]
    before: HeadErrors
    after: HeadErrors
    interval: tuple[float, float]

    @property
    def change(self) -> float:
        """Change of the half total error; negative if the head lowers it."""
        return self.after.half_total - self.before.half_total

    @property
    def helps(self) -> bool:
        """Whether the head lowers the error, for whichever people are drawn."""
        return self.change < 0 and self.interval[1] < 0


def compare(
    samples: Iterable[Sample],
    frames: Frames,
    observer: Observer,
    head: LinearHead,
    *,
    trained_on: set[str],
    every: int,
) -> Comparison:
    """Judge a labelled set without and with a head.

    ``trained_on`` has the content hashes of the files that the head was trained on.

    Raises:
        ResourceError: the set holds files that the head was trained on, or too few people.
    """
    shown = []
    for sample in samples:
        if content_hash(sample.path) in trained_on:
            raise ResourceError(
                f"--check: {sample.name} is also in --live; a head must be checked on other images"
            )
        if one := _presentation(sample, frames, observer, head, every):
            shown.append(one)
    _require(shown)
    return Comparison(
        shown,
        _errors(shown, [one.before for one in shown]),
        _errors(shown, [one.after for one in shown]),
        _interval(shown),
    )


def _presentation(
    sample: Sample, frames: Frames, observer: Observer, head: LinearHead, every: int
) -> Presentation | None:
    """Return the mean scores of a presentation's frames; None if no frame has a face."""
    kind, seen = sample.species or LIVE, []
    try:
        for image in islice(frames(sample.path), 0, None, every):
            seen.append(observer.observe(image, sample.subject, kind))
    except FrameError:
        pass  # the frames before it count, as in ``evaluate``
    found = [one for one in seen if one is not None]
    if not found:
        return None
    odds = np.array([one.log_odds for one in found])
    corrected = odds + head.correction(np.stack([one.features for one in found]))
    scores = [float((1 / (1 + np.exp(-values))).mean()) for values in (odds, corrected)]
    return Presentation(sample.name, sample.subject, kind, *scores)


def _require(shown: Sequence[Presentation]) -> None:
    kinds = {one.kind for one in shown}
    if LIVE not in kinds or len(kinds) < 2:
        raise ResourceError("--check: expected live presentations and attacks in which a face is")
    for kinds_of in (kinds & {LIVE}, kinds - {LIVE}):
        people = {one.subject for one in shown if one.kind in kinds_of}
        if len(people) < MIN_PEOPLE:
            raise ResourceError(
                f"--check: found {len(people)} person with {min(kinds_of)!r}; expected at least"
                f" {MIN_PEOPLE} of live presentations and of attacks"
            )


def _wrong(one: Presentation, score: float) -> bool:
    return score < 0.5 if one.kind == LIVE else score >= 0.5


def _errors(shown: Sequence[Presentation], scores: Sequence[float]) -> HeadErrors:
    wrong = np.array([_wrong(one, score) for one, score in zip(shown, scores, strict=True)])
    kinds = np.array([one.kind for one in shown])
    rates = {kind: float(wrong[kinds == kind].mean()) for kind in np.unique(kinds).tolist()}
    return HeadErrors(rates.pop(LIVE), rates)


def _interval(shown: Sequence[Presentation]) -> tuple[float, float]:
    """Percentile bootstrap of the change, resampling whole people, the same for both."""
    of, drawn = resampled([one.subject for one in shown])
    people = drawn.shape[1]
    changes: dict[str, Values] = {}
    for kind in {one.kind for one in shown}:
        own: NDArray[np.bool_] = np.array([one.kind == kind for one in shown])
        change = np.array([_wrong(one, one.after) * 1.0 - _wrong(one, one.before) for one in shown])
        total = np.bincount(of[own], minlength=people)[drawn].sum(axis=1)
        sums = np.bincount(of[own], change[own], minlength=people)[drawn].sum(axis=1)
        changes[kind] = np.where(total > 0, sums / np.maximum(1, total), np.nan)
    attacks = np.stack([values for kind, values in changes.items() if kind != LIVE])
    known = np.isfinite(changes[LIVE]) & np.isfinite(attacks).any(axis=0)
    halves = (changes[LIVE][known] + np.nanmean(attacks[:, known], axis=0)) / 2
    return quantiles(halves)
