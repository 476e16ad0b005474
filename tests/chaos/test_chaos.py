"""A short chaos run: every invariant holds, whatever dies."""

from __future__ import annotations

import pytest

from tests.chaos.run import play


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_no_fault_breaks_an_invariant() -> None:
    """Some 25 seconds of faults, then recovery; no invariant is violated."""
    people = 8
    report = play(25, seed=6, people=people)
    print(*report.lines(), sep="\n")
    assert sum(report.faults.values()) >= 5, "a busy machine plays fewer than the usual 20"
    assert len(report.history.attempts()) >= people
    assert report.violations == []
