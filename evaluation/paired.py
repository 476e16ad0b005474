"""Change of the error rates between two judgements of the same presentations.

A paired bootstrap over people: both judgements keep their resampled people, so what makes a person
easy or hard for both cancels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluation import metrics
from evaluation.metrics import Interval, Scores

MIN_SUBJECTS = 2
"""With fewer subjects a bootstrap over them sees no spread."""


class Pair(NamedTuple):
    """A presentation that was judged twice, and whether each judgement counts.

    Attributes:
        species: kind of attack; empty for a live presentation.
        before: whether the first judgement is an error (or of another kind that is counted).
    """

    species: str
    subject: str
    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class RateChange:
    """A rate in both judgements.

    Attributes:
        of: number of presentations.
        worse: presentations that count only in the second judgement.
        better: presentations that count only in the first one.
        interval: interval of ``after - before``; None with fewer than two subjects.
    """

    of: int
    before: float
    after: float
    worse: int
    better: int
    interval: Interval | None


def changes(pairs: Sequence[Pair]) -> dict[str, RateChange]:
    """Return the change of the rate of each species; live presentations have the name ''."""
    drawn = change_rounds(pairs)
    return {species: _change(_of(pairs, species), drawn[species]) for species in drawn}


def half_total_change(pairs: Sequence[Pair]) -> RateChange | None:
    """Return the change of the half total error; None without live presentations or attacks."""
    drawn = change_rounds(pairs)
    rounds = drawn.pop("", None)
    if rounds is None or not drawn:
        return None
    attacks = np.stack(list(drawn.values()))
    known = np.isfinite(rounds) & np.isfinite(attacks).any(axis=0)
    halves = (rounds[known] + np.nanmean(attacks[:, known], axis=0)) / 2
    live, *species = (_rates(_of(pairs, name)) for name in ("", *drawn))
    before, after = (
        metrics.half_of(live[judgement], [rates[judgement] for rates in species])
        for judgement in (0, 1)
    )
    enough = all(
        len({one.subject for one in kind}) >= MIN_SUBJECTS
        for kind in (_of(pairs, ""), [one for one in pairs if one.species])
    )
    interval = metrics.quantiles(halves) if enough else None
    return RateChange(len(pairs), before, after, *_moved(pairs), interval)


def change_rounds(pairs: Sequence[Pair]) -> dict[str, Scores]:
    """Draw the change of each species' rate ``metrics.ROUNDS`` times, resampling whole subjects.

    A round draws the same subjects for every species. It has NaN where no presentation of the
    species was drawn.
    """
    of, drawn = metrics.resampled([one.subject for one in pairs])
    subjects = drawn.shape[1]
    moves = np.array([float(one.after) - one.before for one in pairs])
    rounds = {}
    for species in sorted({one.species for one in pairs}):
        own = np.array([one.species == species for one in pairs])
        total = np.bincount(of[own], minlength=subjects)[drawn].sum(axis=1)
        moved = np.bincount(of[own], moves[own], minlength=subjects)[drawn].sum(axis=1)
        rounds[species] = np.where(total > 0, moved / np.maximum(1, total), np.nan)
    return rounds


def _change(own: Sequence[Pair], rounds: Scores) -> RateChange:
    enough = len({one.subject for one in own}) >= MIN_SUBJECTS
    interval = metrics.quantiles(rounds[np.isfinite(rounds)]) if enough else None
    return RateChange(len(own), *_rates(own), *_moved(own), interval)


def _of(pairs: Sequence[Pair], species: str) -> list[Pair]:
    return [one for one in pairs if one.species == species]


def _rates(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return the rate before and after."""
    return (
        sum(one.before for one in pairs) / len(pairs),
        sum(one.after for one in pairs) / len(pairs),
    )


def _moved(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Count the presentations that count only after, and only before."""
    worse = sum(one.after and not one.before for one in pairs)
    return worse, sum(one.before and not one.after for one in pairs)
