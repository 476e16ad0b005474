"""Thresholds for a target error rate, and their errors."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from evaluation.calibration import choose_thresholds, costs
from evaluation.metrics import apcer, bpcer

LIVE = np.linspace(0.305, 1, 140)
PRINT, SCREEN = np.linspace(0.0, 0.5, 101), np.linspace(0.0, 0.7, 141)
SPECIES = {"print": PRINT, "screen": SCREEN}


def test_each_threshold_meets_its_target_at_the_least_cost() -> None:
    """It is rounded to thousandths, in the direction that still meets the target."""
    chosen = choose_thresholds(SPECIES, LIVE)
    for bound in (0.01, 0.05, 0.1):
        strict = chosen[f"APCER at most {100 * bound:g} %"]
        assert max(apcer(PRINT, strict), apcer(SCREEN, strict)) <= bound
        assert apcer(SCREEN, strict - 0.006) > bound
    lenient = chosen["BPCER at most 2 %"]
    assert bpcer(LIVE, lenient) <= 0.02 < bpcer(LIVE, lenient + 0.006)
    assert all(value == round(value, 3) for value in chosen.values())


def test_equal_error_is_where_both_errors_meet() -> None:
    """These are the errors of the worst species and of live presentations."""
    equal = choose_thresholds(SPECIES, LIVE)["equal error"]
    assert apcer(SCREEN, equal) == pytest.approx(bpcer(LIVE, equal), abs=0.01)


def test_errors_are_those_of_the_judged_set() -> None:
    """A threshold from another set is evaluated on this one."""
    rows = {one["aim"]: one for one in costs(SPECIES, LIVE, {"elsewhere": 0.6})}
    assert rows["elsewhere"]["livenessScore"] == 0.6
    assert rows["elsewhere"]["apcerMax"] == apcer(SCREEN, 0.6)
    assert rows["elsewhere"]["halfTotalError"] == pytest.approx(
        (bpcer(LIVE, 0.6) + (apcer(SCREEN, 0.6) + apcer(PRINT, 0.6)) / 2) / 2
    )


def test_an_unreachable_target_is_left_out() -> None:
    """Attacks have the highest score, or live people never pass another check."""
    perfect = choose_thresholds({"mask": np.ones(50)}, LIVE)
    assert not any(name.startswith("APCER") for name in perfect)
    turned_away = np.array([*LIVE, *[-inf] * 10])
    assert "BPCER at most 2 %" not in choose_thresholds(SPECIES, turned_away)


def test_attacks_that_never_pass_need_no_threshold() -> None:
    """If other checks stop them all, 0 is sufficient."""
    assert choose_thresholds({"print": np.full(30, -inf)}, LIVE)["APCER at most 1 %"] == 0.0


def test_no_threshold_is_chosen_without_attacks_or_live_presentations() -> None:
    """One kind alone would give 0 or 1."""
    assert choose_thresholds({}, LIVE) == {}
    assert choose_thresholds(SPECIES, np.array([])) == {}
