"""Accounts: percentiles are accurate, and nothing is lost on the way to the gateway."""

from __future__ import annotations

import numpy as np
import pytest

from shared.process.accounts import BOUNDS, Accounts, Histogram, Recent, merged, resident_bytes
from shared.wire.messages import Account, decode, encode


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_close_to_the_exact_one(share: float) -> None:
    """It is at most a bucket's width (an eighth of an octave) too high, and never too low."""
    durations = np.random.default_rng(1).lognormal(-4, 1, 5000)
    histogram = Histogram()
    for duration in durations:
        histogram.observe(float(duration))
    true = float(np.quantile(durations, share, method="inverted_cdf"))
    assert true <= histogram.percentile(share) <= true * 2 ** (1 / 8)


@pytest.mark.parametrize("extreme", [0.0, 1e9])
def test_the_extremes_have_a_bucket(extreme: float) -> None:
    """Durations outside the limits count, too."""
    histogram = Histogram()
    histogram.observe(extreme)
    assert histogram.count == 1
    assert BOUNDS[0] <= histogram.percentile(0.5) <= BOUNDS[-1]


def test_an_empty_histogram_has_no_duration() -> None:
    """Percentiles are unknown then."""
    assert Histogram().percentile(0.99) == 0.0


def test_reading_includes_all_observations() -> None:
    """Every reader sees every duration, whether or not ``fold`` was called in between."""
    histogram = Histogram()
    histogram.observe(0.5)
    assert (histogram.count, histogram.total) == (1, 0.5)
    histogram.observe(0.25)
    histogram.fold()
    histogram.observe(0.25)
    assert histogram.total == 1.0
    assert histogram.packed()[0] == 1.0
    assert histogram.below(0.3) == 2
    assert histogram.count == 3


def test_observations_do_not_accumulate() -> None:
    """``fold`` empties the list, and a complete slice has no list."""
    accounts, recent = Accounts("gateway"), Recent()
    accounts.observe("answer", 0.1)
    accounts.fold()
    recent.observe(0.1, 5.0)
    recent.observe(0.1, 15.0)
    histograms = [*accounts.steps.values(), recent._slices[0]]
    assert [histogram._new for histogram in histograms] == [[], []]
    assert recent.histogram(15.0).count == 2


def test_below_includes_the_limit() -> None:
    """Prometheus calls this ``le``."""
    histogram = Histogram()
    for duration in (0.001, 0.002, 0.003):
        histogram.observe(duration)
    assert histogram.below(BOUNDS[-1]) == histogram.count == 3
    assert histogram.below(BOUNDS[0]) == 0


def test_an_account_survives_a_round_trip() -> None:
    """The receiver's histogram equals the sender's."""
    accounts = Accounts("worker-0")
    for duration in (0.001, 0.5, 100.0):
        accounts.observe("faces", duration)
    accounts.codes[13] += 2
    for score in (0.0, 0.05, 0.051, 1.0):
        accounts.scores.observe(score)
    account = decode(encode(accounts.message()))
    assert isinstance(account, Account)
    received = Histogram()
    received.add(*account.steps["faces"])
    assert received.packed() == accounts.steps["faces"].packed()
    assert dict(account.codes) == {13: 2}
    total, counts = account.scores
    assert total == pytest.approx(1.101)
    assert dict(counts) == {0: 2, 1: 1, 19: 1}  # a score at a limit counts as below it
    assert account.memory > 0


def test_an_account_is_due_once_a_second() -> None:
    """The number of calls does not matter."""
    accounts = Accounts("worker-0")
    due = [accounts.due(100 + tenth / 10) for tenth in range(20)]
    assert due.count(True) == 2


def test_recent_covers_the_last_minute() -> None:
    """Old slices are discarded one by one."""
    recent = Recent()
    for second in range(100):
        recent.observe(0.1, float(second))
    assert 50 <= recent.histogram(99.0).count <= 60
    assert recent.histogram(500.0).count == 0


def test_merged_adds_up() -> None:
    """Counts and totals of all."""
    first, second = Histogram(), Histogram()
    first.observe(0.1)
    second.observe(0.2)
    whole = merged([first.packed(), second.packed()])
    assert whole.count == 2
    assert whole.total == pytest.approx(0.3)


def test_this_process_uses_memory() -> None:
    """The unit is bytes, not pages."""
    assert resident_bytes() > 1_000_000


def test_an_account_with_many_codes_can_be_sent() -> None:
    """A plugin may make any number of codes; the message holds a limited number."""
    accounts = Accounts("aggregator")
    for code in [*range(1, 1000), 1]:
        accounts.count_code(code)
    sent = decode(encode(accounts.message()))
    assert isinstance(sent, Account)
    assert dict(sent.codes)[1] == 2
    assert len(sent.codes) == 256
