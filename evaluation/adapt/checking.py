"""Compares a head with no head on a labelled set, by a paired bootstrap over people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from evaluation.adapt.observing import Observer
from evaluation.adapt.training import LinearHead
from evaluation.cache import content_hash
from evaluation.measuring import Frames
from evaluation.metrics import Interval
from evaluation.paired import MIN_SUBJECTS, Pair, changes, half_total_change
from evaluation.samples import LIVE, Sample
from inference_pool.onnx.site_head import HeadErrors
from shared.errors import FrameError, ResourceError


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
    """Errors at .5 without and with a head, and the bootstrap's interval of their change.

    Attributes:
        reason: why there is no interval; empty if there is one.
    """

    presentations: list[Presentation]
    before: HeadErrors
    after: HeadErrors
    interval: Interval | None
    reason: str = ""

    @property
    def change(self) -> float:
        """Change of the half total error; negative if the head lowers it."""
        return self.after.half_total - self.before.half_total

    @property
    def helps(self) -> bool:
        """Whether the head lowers the error, for whichever people are drawn.

        Without an interval nothing is known of other people.
        """
        return self.interval is not None and self.change < 0 and self.interval[1] < 0


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
    pairs = [_pair(one) for one in shown]
    rates = changes(pairs)
    total = half_total_change(pairs)
    assert total is not None
    return Comparison(
        shown,
        _errors({species: one.before for species, one in rates.items()}),
        _errors({species: one.after for species, one in rates.items()}),
        total.interval,
        total.reason,
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
        if len(people) < MIN_SUBJECTS:
            raise ResourceError(
                f"--check: found {len(people)} person with {min(kinds_of)!r}; expected at least"
                f" {MIN_SUBJECTS} of live presentations and of attacks"
            )


def _pair(one: Presentation) -> Pair:
    """Return whether a presentation is judged wrong without and with the head."""
    live = one.kind == LIVE
    wrong = (score < 0.5 if live else score >= 0.5 for score in (one.before, one.after))
    return Pair("" if live else one.kind, one.subject, *wrong)


def _errors(rates: Mapping[str, float]) -> HeadErrors:
    attacks = {species: rate for species, rate in rates.items() if species}
    return HeadErrors(rates[""], attacks)
