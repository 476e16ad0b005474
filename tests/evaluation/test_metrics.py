from __future__ import annotations

import itertools
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import (
    acer,
    apcer,
    at_apcer,
    at_apcer_intervals,
    bpcer,
    by_subject,
    det,
    equal_error,
    wilson,
    worst_apcer,
)

LIVE = np.array([0.9, 0.8, 0.6, 0.3])
PRINT = np.array([0.1, 0.2, 0.7, 0.4])
REPLAY = np.array([0.5, 0.55])

scores = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)
thresholds = st.floats(-0.1, 1.1)


def test_rates_by_hand() -> None:
    """At 0.5 one of four prints, both replays and three of four live presentations pass."""
    assert apcer(PRINT, 0.5) == 1 / 4
    assert apcer(REPLAY, 0.5) == 1
    assert bpcer(LIVE, 0.5) == 1 / 4


def test_species_are_not_pooled() -> None:
    """The worst species counts: pooled, the rate at 0.5 would be 3 of 6 instead of 2 of 2."""
    both = {"print": PRINT, "replay": REPLAY}
    assert worst_apcer(both, 0.5) == 1
    assert acer(both, LIVE, 0.5) == (1 + 1 / 4) / 2


def test_equality_with_the_threshold_accepts() -> None:
    """As everywhere in the service, a score equal to the threshold passes."""
    assert (apcer(REPLAY, 0.55), bpcer(LIVE, 0.9)) == (1 / 2, 3 / 4)


def test_rates_of_empty_sets_are_unknown() -> None:
    """Without attacks there is no APCER, without live presentations no BPCER; ACER needs both."""
    nothing = np.array([])
    assert isnan(apcer(nothing, 0.5))
    assert isnan(bpcer(nothing, 0.5))
    assert isnan(acer({}, LIVE, 0.5))
    assert isnan(acer({"print": PRINT}, nothing, 0.5))


def test_a_score_of_minus_infinity_is_never_accepted() -> None:
    """It is refused at every threshold."""
    assert (apcer(np.array([-inf]), -1e308), bpcer(np.array([-inf]), -1e308)) == (0, 1)


@pytest.mark.parametrize(
    ("errors", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson_matches_published_tables(errors: int, total: int, low: float, high: float) -> None:
    """The tables give the interval at 95 %."""
    assert wilson(errors, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_share(counts: tuple[int, int]) -> None:
    """The interval contains the share, is within 0..1 and mirrors that of the complement."""
    errors, total = counts
    low, high = wilson(errors, total)
    assert 0 <= low <= errors / total <= high <= 1
    assert wilson(total - errors, total) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_without_trials_is_the_whole_range() -> None:
    assert wilson(0, 0) == (0, 1)


@given(scores, scores, thresholds, thresholds)
def test_errors_trade_off(live: np.ndarray, attacks: np.ndarray, one: float, other: float) -> None:
    """A higher threshold never accepts more attacks and never refuses fewer live people."""
    low, high = sorted((one, other))
    assert apcer(attacks, low) >= apcer(attacks, high)
    assert bpcer(live, low) <= bpcer(live, high)


def test_bpcer_at_a_bound_by_hand() -> None:
    """To accept at most a quarter of the prints, the threshold must be above 0.4."""
    point = at_apcer({"print": PRINT}, LIVE, 0.25)
    assert point.threshold == pytest.approx(0.4)
    assert point.threshold > 0.4
    assert (point.bpcer, point.supported) == (1 / 4, True)


def test_bound_finer_than_the_sample() -> None:
    """With four attacks, 1 % means none; the bound is met but marked as unsupported."""
    point = at_apcer({"print": PRINT}, LIVE, 0.01)
    assert point.threshold > 0.7
    assert (point.bpcer, point.supported) == (2 / 4, False)


@given(st.dictionaries(st.sampled_from("abc"), scores, min_size=1), scores, st.floats(0, 0.99))
def test_bound_is_met_at_the_least_cost(
    species: dict[str, np.ndarray], live: np.ndarray, bound: float
) -> None:
    """Every species is within the bound, and at no lower threshold of the curve."""
    point = at_apcer(species, live, bound)
    assert worst_apcer(species, point.threshold) <= bound
    cheaper = [p for p in det(species, live) if p.apcer <= bound and p.bpcer < point.bpcer]
    assert cheaper == []


@given(st.dictionaries(st.sampled_from("abc"), scores, min_size=1), scores)
def test_curve_runs_from_all_accepted_to_all_refused(
    species: dict[str, np.ndarray], live: np.ndarray
) -> None:
    """The curve starts with all accepted, ends with all refused, and is monotone."""
    curve = det(species, live)
    assert (curve[0].apcer, curve[0].bpcer) == (1, 0)
    assert (curve[-1].apcer, curve[-1].bpcer) == (0, 1)
    assert all(a.apcer >= b.apcer and a.bpcer <= b.bpcer for a, b in itertools.pairwise(curve))


def test_equal_error_of_separable_scores_is_zero() -> None:
    point = equal_error(det({"print": np.array([0.1, 0.2])}, np.array([0.8, 0.9])))
    assert point is not None
    assert (point.apcer, point.bpcer) == (0, 0)
    assert 0.2 < point.threshold <= 0.8
    assert equal_error(det({}, LIVE)) is None


def test_bootstrap_draws_whole_subjects() -> None:
    """Ten images of each of four people, all wrong for one: far wider than Wilson's interval."""
    wrong = [subject == "anna" for subject in ("anna", "bea", "carl", "dan") for _ in range(10)]
    subjects = [subject for subject in ("anna", "bea", "carl", "dan") for _ in range(10)]
    drawn = by_subject(wrong, subjects)
    assert drawn is not None
    low, high = drawn
    wilson_low, wilson_high = wilson(10, 40)
    assert (low, high) == (0.0, 0.75)
    assert high - low > 2 * (wilson_high - wilson_low)


def test_bootstrap_of_single_presentations_is_near_wilson() -> None:
    """If every subject has one presentation, both intervals are about equal."""
    wrong = [number < 60 for number in range(300)]
    drawn = by_subject(wrong, [str(number) for number in range(300)])
    assert drawn == pytest.approx(wilson(60, 300), abs=0.01)


def test_bootstrap_without_spread_is_none() -> None:
    """With one subject or without any error, an interval of width 0 would mislead."""
    assert by_subject([True, False], ["anna", "anna"]) is None
    assert by_subject([False] * 5, list("abcde")) is None


def test_intervals_at_a_bound_include_the_choice_of_the_threshold() -> None:
    """With few attackers, the sample of people moves the threshold, and so the live error."""
    live = np.linspace(0, 1, 400)
    living = [f"live {n}" for n in range(400)]
    many = {"print": np.tile(np.linspace(0.2, 0.6, 20), 10)}
    subjects = {"": living, "print": [f"{n % 20}" for n in range(200)]}
    ((low, high),) = at_apcer_intervals(many, live, subjects, [0.1])
    point = at_apcer(many, live, 0.1).bpcer
    assert low < point < high
    ((same_low, same_high),) = at_apcer_intervals(
        many, live, {"": living, "print": [f"{n}" for n in range(200)]}, [0.1]
    )
    assert same_high - same_low < high - low


def test_intervals_at_a_bound_agree_with_the_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all subjects are alike, every resample equals the set. Computation in parts agrees."""
    subjects = {"": list("abcd") * 4, "print": list("abcd") * 4, "replay": list("abcd") * 2}
    species = {"print": np.repeat(PRINT, 4), "replay": np.repeat(REPLAY, 4)}
    live = np.repeat(LIVE, 4)
    bounds = [0.01, 0.25, 0.5, 1.0]
    points = [at_apcer(species, live, bound).bpcer for bound in bounds]
    whole = at_apcer_intervals(species, live, subjects, bounds)
    assert whole == [(pytest.approx(point), pytest.approx(point)) for point in points]
    monkeypatch.setattr("evaluation.metrics.MAX_CELLS", 5000)
    assert at_apcer_intervals(species, live, subjects, bounds) == whole


def test_resamples_without_attacks_do_not_count_as_no_error() -> None:
    """Of the resamples 4 % draw none of three attackers; at their scores half of the live fail."""
    live = np.linspace(0, 1, 30)
    subjects = {"": [f"live {n}" for n in range(30)], "print": list("abc")}
    interval = at_apcer_intervals({"print": np.full(3, 0.5)}, live, subjects, [0.1])[0]
    assert interval is not None
    assert 0.3 < interval[0] < 0.5 < interval[1]


def test_resamples_without_the_strongest_species_do_not_count() -> None:
    """Of the resamples 13 % draw neither attacker with a screen; prints alone need no threshold."""
    live = np.linspace(0, 1, 30)
    living = [f"live {n}" for n in range(30)]
    species = {"print": np.zeros(30), "screen": np.full(2, 0.5)}
    subjects = {"": living, "print": living, "screen": list("ab")}
    interval = at_apcer_intervals(species, live, subjects, [0.1])[0]
    assert interval is not None
    assert 0.3 < interval[0] < 0.5 < interval[1]


def test_no_interval_if_most_resamples_lack_a_species() -> None:
    """Each of six species has one attacker, so 5 % of the resamples have all."""
    species = {name: np.full(1, 0.5) for name in "abcdef"}
    subjects = {"": [f"live {n}" for n in range(30)], **{name: [name] for name in "abcdef"}}
    assert at_apcer_intervals(species, np.linspace(0, 1, 30), subjects, [0.1, 0.2]) == [None, None]


def test_no_interval_at_a_bound_with_one_subject() -> None:
    """There is none without attacks either."""
    assert at_apcer_intervals({"print": PRINT}, LIVE, {"": "aaaa", "print": "abcd"}, [0.1]) == [
        None
    ]
    assert at_apcer_intervals({}, LIVE, {"": "abcd"}, [0.1, 0.2]) == [None, None]
