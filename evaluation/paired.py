"""Change of the error rates between two judgements of the same presentations.

A paired bootstrap over people: both judgements keep their resampled people, so what makes a person
easy or hard for both cancels. There is no interval where the bootstrap would give one that is too
narrow: if few people differ, or all alike.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from evaluation import metrics
from evaluation.metrics import Interval, Scores

MIN_SUBJECTS = 2
"""With fewer subjects a bootstrap over them sees no spread."""
MIN_MOVED = 6
"""Subjects who must change a rate before the change has an interval.

If six of six subjects change in one direction, a two-sided sign test gives p = 2 / 2**6 = 3 %; five
of five give 6 %, so no five subjects can support a statement at 95 %. The bootstrap would make it.
"""

Moves = Mapping[str, Sequence[int]]
"""By subject how each presentation changes: 1 if it counts only after, -1 only before, else 0."""


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
        interval: interval of ``after - before``, or None.
        reason: why there is no interval, as a clause in which "it" is the rate; else empty.
    """

    of: int
    before: float
    after: float
    worse: int
    better: int
    interval: Interval | None
    reason: str


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
    kinds = [_of(pairs, name) for name in ("", *drawn)]
    live, *species = map(_rates, kinds)
    before, after = (
        metrics.half_of(live[judgement], [rates[judgement] for rates in species])
        for judgement in (0, 1)
    )
    living = {one.subject for one in pairs if not one.species}
    attacking = {one.subject for one in pairs if one.species}
    if min(len(living), len(attacking)) < MIN_SUBJECTS:
        reason = f"live presentations or attacks come from fewer than {MIN_SUBJECTS} people"
    else:
        reason = _why_no_interval(*map(_moves, kinds))
    interval = None if reason else metrics.quantiles(halves)
    return RateChange(len(pairs), before, after, *_moved(pairs), interval, reason)


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
    reason = _why_no_interval(_moves(own))
    interval = None if reason else metrics.quantiles(rounds[np.isfinite(rounds)])
    return RateChange(len(own), *_rates(own), *_moved(own), interval, reason)


def _why_no_interval(own: Moves, *species: Moves) -> str:
    """Say why the change of a rate has no interval; empty if it has one.

    Without ``species``, ``own`` are the moves of that rate. With them, ``own`` are those of live
    presentations, and the rate is the half total error.
    """
    if _subjects_moved(own, *species) < MIN_MOVED:
        return f"fewer than {MIN_MOVED} people change it"
    return "" if any(map(_has_spread, (own, *species))) else "all people change alike"


def _subjects_moved(own: Moves, *species: Moves) -> int:
    """Count the subjects who change the rate; those whose moves cancel do not."""
    effects: defaultdict[str, Fraction] = defaultdict(Fraction)
    for kind, kinds in ((own, 1), *((one, len(species)) for one in species)):
        presentations = sum(map(len, kind.values()))
        for subject, moves in kind.items():
            effects[subject] += Fraction(sum(moves), presentations * kinds)
    return sum(effect != 0 for effect in effects.values())


def _has_spread(own: Moves) -> bool:
    """Whether the subjects' rates change by different amounts, so that resamples differ."""
    return len({Fraction(sum(moves), len(moves)) for moves in own.values()}) > 1


def _moves(own: Sequence[Pair]) -> Moves:
    moves: defaultdict[str, list[int]] = defaultdict(list)
    for one in own:
        moves[one.subject].append(one.after - one.before)
    return moves


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
