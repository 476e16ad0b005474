"""Error rates of presentation attack detection as in ISO/IEC 30107-3:2023.

A score is high for a live face. A presentation is accepted if its score is at least the threshold.
A presentation that is always refused has the score minus infinity.

APCER is the share of accepted attack presentations of **one species**; species are never pooled,
and the worst one counts (clause 13.2.2). BPCER is the share of refused live (bona fide)
presentations. ACER, the mean of BPCER and the worst APCER, is no longer in the standard but common.
So is the half total error, the mean of BPCER and of the mean APCER of the species.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, isnan, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Species = Mapping[str, Scores]
Interval = tuple[float, float]

CONFIDENCE = 0.95
ROUNDS = 2000
"""Resamples of a bootstrap."""
MAX_CELLS = 4_000_000
"""Resamples times presentations that are computed at once; 100 MB of memory."""
MIN_ROUNDS = ROUNDS // 2
"""Resamples that must have every kind of presentation: fewer leave under 25 values beyond each end
of an interval, and show that some species has too few subjects to be resampled."""


@dataclass(frozen=True, slots=True)
class Point:
    """Both errors at one threshold."""

    threshold: float
    apcer: float
    bpcer: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The lowest BPCER at which a bound on APCER is met.

    Attributes:
        apcer: the bound.
        threshold: lowest threshold that meets it.
        bpcer: BPCER at that threshold.
        supported: whether every species has enough attacks for a single one to be within the
            bound; if not, the figure means little.
    """

    apcer: float
    threshold: float
    bpcer: float
    supported: bool


def apcer(attacks: Scores, threshold: float) -> float:
    """Share of one species' attacks that are accepted; NaN without attacks."""
    return float((attacks >= threshold).mean()) if attacks.size else float("nan")


def bpcer(live: Scores, threshold: float) -> float:
    """Share of live presentations that are refused; NaN without presentations."""
    return float((live < threshold).mean()) if live.size else float("nan")


def worst_apcer(species: Species, threshold: float) -> float:
    """Highest APCER of all species; NaN without attacks."""
    rates = [apcer(scores, threshold) for scores in species.values() if scores.size]
    return max(rates, default=float("nan"))


def acer(species: Species, live: Scores, threshold: float) -> float:
    """Mean of BPCER and the worst APCER; NaN if one of them is NaN."""
    return (worst_apcer(species, threshold) + bpcer(live, threshold)) / 2


def half_total(species: Species, live: Scores, threshold: float) -> float:
    """Mean of BPCER and of the mean APCER of the species; NaN if one of them is NaN."""
    rates = [apcer(scores, threshold) for scores in species.values() if scores.size]
    return half_of(bpcer(live, threshold), rates)


def half_of(bpcer: float, apcers: Sequence[float]) -> float:
    """Half total error of given rates; NaN without species."""
    return (bpcer + sum(apcers) / len(apcers)) / 2 if apcers else float("nan")


def wilson(errors: int, total: int) -> Interval:
    """Score interval of a share, for independent trials (Wilson 1927); 0..1 without trials."""
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, spread = errors / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    high = 1.0 if errors == total else min(1.0, centre + half)
    return low, high


def by_subject(wrong: Sequence[bool], subjects: Sequence[str]) -> Interval | None:
    """Percentile bootstrap of a share, resampling whole subjects (Efron and Tibshirani 1993).

    Presentations of one subject, and frames of one video, are not independent. Resampling whole
    subjects takes that into account. The resamples are the same at every call. Both sequences have
    an item for each presentation.

    Returns:
        The interval; None with fewer than two subjects, or if all presentations agree, because the
        bootstrap then sees no spread and its interval would be too narrow.
    """
    of, drawn = resampled(subjects)
    mistakes = np.asarray(wrong, dtype=float)
    if drawn.shape[1] < 2 or mistakes.min() == mistakes.max():
        return None
    errors, totals = np.bincount(of, mistakes), np.bincount(of)
    return quantiles(errors[drawn].sum(axis=1) / totals[drawn].sum(axis=1))


def resampled(subjects: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Number the subjects, and draw as many of them with replacement, ``ROUNDS`` times.

    Returns:
        The number of each presentation's subject, and the drawn numbers (rounds, subjects).
    """
    names, of = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    count = len(names)
    return of, np.random.default_rng(0).integers(max(1, count), size=(ROUNDS, count))


def quantiles(values: Scores) -> Interval:
    """Interval with ``CONFIDENCE`` of a bootstrap's values."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def intervals(wrong: Sequence[bool], subjects: Sequence[str]) -> dict[str, Any]:
    """Count errors and give both intervals of their share, as JSON values."""
    return {
        "errors": sum(wrong),
        "of": len(wrong),
        "wilson": wilson(sum(wrong), len(wrong)),
        "bySubject": by_subject(wrong, subjects),
    }


def at_apcer(species: Species, live: Scores, bound: float) -> OperatingPoint:
    """Find the lowest threshold at which every species' APCER is within a bound.

    With ``bound`` 0.1, 0.05 and 0.01 the result is called BPCER10, BPCER20 and BPCER100.
    """
    groups = [scores for scores in species.values() if scores.size]
    threshold = max((_strict_enough(scores, bound) for scores in groups), default=-inf)
    supported = bool(groups) and all(bound * scores.size >= 1 - 1e-9 for scores in groups)
    return OperatingPoint(bound, threshold, bpcer(live, threshold), supported)


def _strict_enough(attacks: Scores, bound: float) -> float:
    """Lowest threshold that accepts at most this share of one species."""
    allowed = int(bound * attacks.size + 1e-9)
    if allowed >= attacks.size:
        return -inf
    return float(np.nextafter(np.sort(attacks)[::-1][allowed], inf))


def at_apcer_intervals(
    species: Species,
    live: Scores,
    subjects: Mapping[str, Sequence[str]],
    bounds: Sequence[float],
) -> list[Interval | None]:
    """Bootstrap the BPCER of ``at_apcer`` at each bound, resampling whole subjects.

    Each resample chooses its own threshold, so the intervals include that the attacks, too, are a
    sample. ``subjects`` has those of each species' presentations; live ones have the name ''.

    Resamples that lack live presentations or a species are left out: without attacks every
    threshold meets the bound, and the BPCER of 0 would come from the draw, not from the scores.
    Drawing each kind separately would avoid them, but would tear apart a subject who has several.

    Returns:
        For each bound an interval; None with fewer than two subjects of either kind, or if fewer
        than ``MIN_ROUNDS`` resamples are left.
    """
    groups = {name: scores for name, scores in species.items() if scores.size}
    attacking = {one for name in groups for one in subjects[name]}
    if min(len(attacking), len(set(subjects[""]))) < 2:
        return [None] * len(bounds)
    scores = np.concatenate([live, *groups.values()])
    of, drawn = resampled([*subjects[""], *(one for name in groups for one in subjects[name])])
    ends = np.cumsum([live.size, *(values.size for values in groups.values())])
    found: list[list[Scores]] = [[] for _ in bounds]
    for rows in np.array_split(drawn, ceil(drawn.shape[0] * scores.size / MAX_CELLS)):
        counts = np.stack([np.bincount(row, minlength=drawn.shape[1]) for row in rows])
        weights = counts[:, of]
        weights = weights[(np.add.reduceat(weights, [0, *ends[:-1]], axis=1) > 0).all(axis=1)]
        for place, bound in enumerate(bounds):
            thresholds = np.full(len(weights), -inf)
            for start, end in pairwise(ends.tolist()):
                strict = _strict_enough_weighted(scores[start:end], weights[:, start:end], bound)
                thresholds = np.maximum(thresholds, strict)
            alive = weights[:, : live.size]
            refused = (alive * (live < thresholds[:, None])).sum(axis=1)
            found[place].append(refused / alive.sum(axis=1))
    drawn_rates = [np.concatenate(values) for values in found]
    return [quantiles(rates) if len(rates) >= MIN_ROUNDS else None for rates in drawn_rates]


def _strict_enough_weighted(attacks: Scores, weights: NDArray[np.int64], bound: float) -> Scores:
    """Repeat ``_strict_enough`` for each row of weights, which count every attack's copies."""
    order = np.argsort(attacks)[::-1]
    accepted = np.cumsum(weights[:, order], axis=1)
    too_many = accepted > bound * accepted[:, -1:] + 1e-9
    thresholds = np.nextafter(attacks[order][too_many.argmax(axis=1)], inf)
    return np.where(too_many.any(axis=1), thresholds, -inf)


def det(species: Species, live: Scores) -> list[Point]:
    """Detection error trade-off: both errors at every threshold that changes one, ascending."""
    scores = np.concatenate([live, *species.values()]) if species else live
    finite = np.unique(scores[np.isfinite(scores)])
    steps = [-inf, *finite.tolist(), *(np.nextafter(finite[-1:], inf).tolist())]
    return [Point(step, worst_apcer(species, step), bpcer(live, step)) for step in steps]


def equal_error(curve: Sequence[Point]) -> Point | None:
    """Point of a curve at which the two errors differ least; None if no point has both."""
    known = [point for point in curve if not (isnan(point.apcer) or isnan(point.bpcer))]
    return min(known, key=lambda point: abs(point.apcer - point.bpcer), default=None)
