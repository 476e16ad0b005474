"""A short chaos run: whatever dies, every invariant holds."""

from __future__ import annotations

import pytest

from tests.chaos.run import play


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_nothing_is_lost_and_no_one_let_in() -> None:
    """Some 25 seconds of faults, then quiet; no violation of any invariant."""
    people = 8
    report = play(25, seed=6, people=people)
    print(*report.lines(), sep="\n")
    assert sum(report.faults.values()) >= 15
    assert len(report.history.attempts()) >= people
    assert report.violations == []
