"""Thresholds of LifeSigns from recorded live sessions of one place.

A threshold is the value at which a set share of the live sessions is in doubt, and so is asked for
an action. It is taken from live people alone, so it does not depend on the attacks at hand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np

from evaluation.samples import LIVE
from evaluation.whatif import Suggestion
from shared.config.life_signs import LifeSignsArgs
from shared.report import percent

MIN_LIVE = 20
"""Live sessions needed for a suggestion."""
SECTION = "MIDDLEWARES.WS.LifeSigns.args"


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that LifeSigns measures.

    Attributes:
        argument: its threshold in LifeSigns' ``args``.
        measure: its name in the token's ``details.lifeSigns``.
        least: it must be at least the threshold; if false, at most.
        doubted: share of the live sessions that a suggested threshold doubts; None for no
            suggestion. docs/plugin-measurements.md has the source of the shares.
        grain: suggested values are multiples of it.
    """

    argument: str
    measure: str
    least: bool
    doubted: float | None
    grain: float

    def doubts(self, values: Sequence[float], threshold: float) -> int:
        """Count the values that a threshold puts in doubt."""
        return sum(value < threshold if self.least else value > threshold for value in values)


SIGNS = (
    Sign("acceptScore", "score", True, 0.02, 0.01),
    Sign("eyesDeviation", "eyes", True, 0.30, 0.0001),
    Sign("poseDeviation", "pose", True, None, 0.01),
    Sign("backgroundMotion", "background", False, 0.05, 0.01),
)


@dataclass(frozen=True, slots=True)
class MeasuredSign:
    """The values of a sign where each session ended, of live ones and of attacks by species."""

    sign: Sign
    now: float
    live: list[float]
    attacks: dict[str, list[float]]


def measured_signs(sessions: Sequence[dict[str, Any]], args: LifeSignsArgs) -> list[MeasuredSign]:
    """Collect the signs of the sessions of ``session_summary`` that had enough frames."""
    shown = [(one["species"], one["details"].get("lifeSigns")) for one in sessions]
    enough = [
        (name, signs) for name, signs in shown if signs and signs["frames"] >= args.framesCount
    ]
    found = []
    for sign in SIGNS:
        values: dict[str, list[float]] = {}
        for name, signs in enough:
            if (value := signs[sign.measure]) is not None:
                values.setdefault(name, []).append(value)
        if values:
            live = values.pop("", [])
            found.append(MeasuredSign(sign, float(getattr(args, sign.argument)), live, values))
    return found


def suggest_thresholds(signs: Sequence[MeasuredSign]) -> Iterator[Suggestion]:
    """Suggest the thresholds that doubt the set shares of the live sessions, with their costs."""
    for one in signs:
        sign = one.sign
        if sign.doubted is None or len(one.live) < MIN_LIVE:
            continue
        value = _threshold(sign, sign.doubted, one.live)
        if value == one.now:
            continue
        reason = f"{percent(sign.doubted)} of {len(one.live)} live sessions are in doubt with it"
        yield Suggestion(sign.argument, one.now, value, reason, _cost(one, value))


def _threshold(sign: Sign, doubted: float, live: Sequence[float]) -> float:
    """Return the quantile of the live values, rounded to the side that doubts fewer."""
    share = doubted if sign.least else 1 - doubted
    steps = float(np.quantile(live, share)) / sign.grain
    return round((floor(steps + 1e-9) if sign.least else ceil(steps - 1e-9)) * sign.grain, 6)


def _cost(one: MeasuredSign, value: float) -> str:
    groups = [(LIVE, one.live), *sorted(one.attacks.items())]
    return "in doubt by this sign: " + ", ".join(
        f"{name} {one.sign.doubts(values, one.now)} -> {one.sign.doubts(values, value)}"
        f" of {len(values)}"
        for name, values in groups
    )
