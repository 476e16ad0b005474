"""Thresholds for an aim, such as an equal error, and what they cost.

A threshold that is chosen on the presentations it is judged by looks better than it is. So it can
be chosen on a development set, and judged on another one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np

from evaluation import metrics
from evaluation.metrics import Scores, Species


@dataclass(frozen=True, slots=True)
class Aim:
    """What a threshold shall achieve.

    Attributes:
        choose: returns a threshold; infinite if no finite one achieves the aim, minus infinity if
            every one does.
        strict: round up to a value that one would set; if false, round down.
    """

    name: str
    choose: Callable[[Species, Scores], float]
    strict: bool = True

    def threshold(self, species: Species, live: Scores) -> float | None:
        """Choose a ``livenessScore``, in thousandths; None if none achieves the aim."""
        return settable(self.choose(species, live), strict=self.strict)


def settable(threshold: float, *, strict: bool = True) -> float | None:
    """Round a threshold to thousandths of 0..1, up or down; None if it is above 1."""
    if not threshold <= 1:
        return None
    if threshold <= 0:
        return 0.0
    steps = round(threshold * 1000)
    # Compared as they are set: 1000 times the number next to .695 is 695.0.
    if strict and steps / 1000 < threshold:
        steps += 1
    elif not strict and steps / 1000 > threshold:
        steps -= 1
    return steps / 1000 if steps <= 1000 else None


def _equal_error(species: Species, live: Scores) -> float:
    point = metrics.equal_error(metrics.det(species, live))
    return point.threshold if point else inf


def _apcer(bound: float) -> Aim:
    return Aim(
        f"APCER at most {100 * bound:g} %",
        lambda species, live: metrics.at_apcer(species, live, bound).threshold,
    )


def _bpcer(bound: float) -> Aim:
    def choose(_species: Species, live: Scores) -> float:
        highest = float(np.sort(live)[int(bound * live.size + 1e-9)])
        return highest if isfinite(highest) else inf  # live presentations that never pass

    return Aim(f"BPCER at most {100 * bound:g} %", choose, strict=False)


AIMS = (Aim("equal error", _equal_error), _apcer(0.01), _apcer(0.05), _apcer(0.1), _bpcer(0.02))

Thresholds = dict[str, float]


def choose_thresholds(species: Species, live: Scores) -> Thresholds:
    """Return the threshold of each aim that can be achieved, by the aim's name."""
    attacks = {name: scores for name, scores in species.items() if scores.size}
    if not (attacks and live.size):
        return {}
    chosen = {aim.name: aim.threshold(attacks, live) for aim in AIMS}
    return {name: threshold for name, threshold in chosen.items() if threshold is not None}


def costs(species: Species, live: Scores, chosen: Thresholds) -> list[dict[str, Any]]:
    """Return the errors of a set at each chosen threshold."""
    return [
        {
            "aim": aim,
            "livenessScore": threshold,
            "bpcer": metrics.bpcer(live, threshold),
            "apcerMax": metrics.worst_apcer(species, threshold),
            "halfTotalError": metrics.half_total(species, live, threshold),
        }
        for aim, threshold in chosen.items()
    ]
