"""Error rates of presentation attack detection, after ISO/IEC 30107-3:2023.

A score is high for a live face; a presentation is accepted when its score is at least the
threshold. A presentation the system always refuses has the score minus infinity.

APCER is the share of attack presentations of **one species** that are accepted; species are never
pooled, the worst one counts (clause 13.2.2). BPCER is the share of live (bona fide) presentations
refused. ACER, the mean of BPCER and the worst APCER, is no longer in the standard but common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Species = Mapping[str, Scores]
"""Scores of the attacks, by species."""
Interval = tuple[float, float]

CONFIDENCE = 0.95
ROUNDS = 2000
"""Resamples of a bootstrap."""


@dataclass(frozen=True, slots=True)
class Point:
    """Both errors at one threshold."""

    threshold: float
    apcer: float
    bpcer: float


@dataclass(frozen=True, slots=True)
class Operating:
    """Where a bound on APCER is met at the least BPCER.

    Attributes:
        apcer: the bound asked for.
        threshold: least threshold that meets it.
        bpcer: BPCER there.
        supported: every species has so many attacks that one of them is no more than the bound;
            otherwise the figure says little.
    """

    apcer: float
    threshold: float
    bpcer: float
    supported: bool


def apcer(attacks: Scores, threshold: float) -> float:
    """Share of one species' attacks that are accepted; NaN without any."""
    return float((attacks >= threshold).mean()) if attacks.size else float("nan")


def bpcer(live: Scores, threshold: float) -> float:
    """Share of live presentations that are refused; NaN without any."""
    return float((live < threshold).mean()) if live.size else float("nan")


def worst_apcer(species: Species, threshold: float) -> float:
    """APCER of the species that is accepted most; NaN without any attack."""
    rates = [apcer(scores, threshold) for scores in species.values() if scores.size]
    return max(rates, default=float("nan"))


def acer(species: Species, live: Scores, threshold: float) -> float:
    """Mean of BPCER and the worst APCER; NaN where one of them is."""
    return (worst_apcer(species, threshold) + bpcer(live, threshold)) / 2


def wilson(errors: int, total: int, confidence: float = CONFIDENCE) -> Interval:
    """Score interval of a share, for independent trials (Wilson 1927).

    Args:
        errors: trials that went wrong.
        total: all trials; 0 gives the whole range.
        confidence: probability that the interval holds the true share.
    """
    if total == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = errors / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    low = 0.0 if errors == 0 else max(0.0, centre - half)
    high = 1.0 if errors == total else min(1.0, centre + half)
    return low, high


def by_subject(
    wrong: Sequence[bool],
    subjects: Sequence[str],
    confidence: float = CONFIDENCE,
    rounds: int = ROUNDS,
) -> Interval | None:
    """Percentile bootstrap of a share that draws whole subjects (Efron and Tibshirani 1993).

    Presentations of one subject, and frames of one video, are not independent; drawing whole
    subjects keeps that in the interval. The draws are the same at every call.

    Args:
        wrong: for each presentation, whether it went wrong.
        subjects: for each presentation, whose it is.
        confidence: probability that the interval holds the true share.
        rounds: number of resamples.

    Returns:
        The interval; None with fewer than two subjects, or where all presentations agree, as
        there the bootstrap sees no spread and would promise too much.
    """
    names, of = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    mistakes = np.asarray(wrong, dtype=float)
    if len(names) < 2 or mistakes.min() == mistakes.max():
        return None
    errors, totals = np.bincount(of, mistakes), np.bincount(of)
    drawn = np.random.default_rng(0).integers(len(names), size=(rounds, len(names)))
    shares = errors[drawn].sum(axis=1) / totals[drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(shares, (tail, 1 - tail))
    return float(low), float(high)


def at_apcer(species: Species, live: Scores, bound: float) -> Operating:
    """Find the least threshold at which every species' APCER keeps a bound.

    ``bound`` .1, .05 and .01 give what is called BPCER10, BPCER20 and BPCER100.
    """
    groups = [scores for scores in species.values() if scores.size]
    threshold = max((_strict_enough(scores, bound) for scores in groups), default=-inf)
    supported = bool(groups) and all(bound * scores.size >= 1 - 1e-9 for scores in groups)
    return Operating(bound, threshold, bpcer(live, threshold), supported)


def _strict_enough(attacks: Scores, bound: float) -> float:
    """Least threshold that accepts no larger share of one species."""
    allowed = int(bound * attacks.size + 1e-9)
    if allowed >= attacks.size:
        return -inf
    return float(np.nextafter(np.sort(attacks)[::-1][allowed], inf))


def det(species: Species, live: Scores) -> list[Point]:
    """Detection error trade-off: both errors at every threshold that changes one, rising."""
    scores = np.concatenate([live, *species.values()]) if species else live
    finite = np.unique(scores[np.isfinite(scores)])
    steps = [-inf, *finite.tolist(), *(np.nextafter(finite[-1:], inf).tolist())]
    return [Point(step, worst_apcer(species, step), bpcer(live, step)) for step in steps]


def equal_error(curve: Sequence[Point]) -> Point | None:
    """Point of a curve at which the two errors differ least; None where one is unknown."""
    known = [point for point in curve if point.apcer == point.apcer and point.bpcer == point.bpcer]
    return min(known, key=lambda point: abs(point.apcer - point.bpcer), default=None)
