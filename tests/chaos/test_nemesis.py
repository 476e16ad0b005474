"""The schedule is a function of its seed and never asks for what the design does not promise."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.nemesis import HEALING_SECONDS, KEEPERS, Act, schedule

SEEDS = range(20)


def test_a_seed_repeats_its_schedule() -> None:
    """Same seed, same faults; another seed, others."""
    assert schedule(7, 60) == schedule(7, 60)
    assert schedule(7, 60) != schedule(8, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_keepers_heal_before_the_next_blow(seed: int) -> None:
    """Gateway and aggregator hold each other's memory: never both at once."""
    blows = [fault for fault in schedule(seed, 300) if fault.role in KEEPERS]
    for one, next_one in pairwise(blows):
        assert next_one.at - (one.at + one.seconds) >= HEALING_SECONDS


def test_five_minutes_have_more_than_two_hundred_faults_of_every_kind() -> None:
    """The acceptance run is as hard as it claims."""
    faults = schedule(1, 300)
    assert len(faults) >= 250
    assert set(Act) == set(Counter(fault.act for fault in faults))
