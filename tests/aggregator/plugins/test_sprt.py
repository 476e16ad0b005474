from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.plugins.sprt import ATTACK_VOTES, LIVE_VOTES, SequentialTest


def judged(votes: list[bool]) -> SequentialTest:
    test = SequentialTest()
    for vote in votes:
        test.add(vote)
    return test


def test_agreeing_frames_decide() -> None:
    """Four for or three against decide; one fewer does not."""
    assert not judged([True] * 3).accepts
    assert judged([True] * 4).accepts
    assert not judged([False] * 2).refuses
    assert judged([False] * 3).refuses


@given(st.lists(st.booleans(), max_size=40))
def test_a_refusal_is_final(votes: list[bool]) -> None:
    """It never accepts and refuses at once, and no later vote changes a refusal."""
    test = judged(votes)
    assert not (test.accepts and test.refuses)
    if test.refuses:
        assert not judged([*votes, *[True] * 50]).accepts


@given(st.lists(st.booleans(), max_size=40))
def test_votes_do_not_accumulate_beyond_a_decision(votes: list[bool]) -> None:
    """After any number of live frames, an attacker who takes over is refused just as soon."""
    test = judged([*votes, *[True] * 50, *[False] * 5])
    assert test.refuses


@pytest.mark.parametrize(("share", "accepted"), [(LIVE_VOTES, True), (ATTACK_VOTES, False)])
def test_error_of_independent_votes_is_bounded(share: float, accepted: bool) -> None:
    """At most 1.5 % of two thousand sessions, drawn at the assumed shares, are decided wrongly."""
    chance = random.Random(5)
    wrong = 0
    for _ in range(2000):
        test = SequentialTest()
        while not (test.accepts or test.refuses):
            test.add(chance.random() < share)
        wrong += test.accepts is not accepted
    assert wrong / 2000 < 0.015
