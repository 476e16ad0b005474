"""The schedule is a function of its seed and never has faults that the design does not survive."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.nemesis import HEALING_SECONDS, KEEPERS, Act, schedule

SEEDS = range(20)


def test_a_seed_determines_the_schedule() -> None:
    """Equal seeds give equal faults, different seeds different ones."""
    assert schedule(7, 60) == schedule(7, 60)
    assert schedule(7, 60) != schedule(8, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_gateway_and_aggregator_never_fail_together(seed: int) -> None:
    """Each holds the other's state, so one recovers before the other fails."""
    blows = [fault for fault in schedule(seed, 300) if fault.role in KEEPERS]
    for one, next_one in pairwise(blows):
        assert next_one.at - (one.at + one.seconds) >= HEALING_SECONDS


def test_five_minutes_have_over_two_hundred_faults() -> None:
    """All kinds occur, so the acceptance run is as hard as documented."""
    faults = schedule(1, 300)
    assert len(faults) >= 250
    assert set(Act) == set(Counter(fault.act for fault in faults))
