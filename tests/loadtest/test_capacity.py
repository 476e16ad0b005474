"""The search for capacity, on services whose capacity is known."""

from __future__ import annotations

import pytest

from loadtest.capacity import Probe, judge, largest_good, search
from loadtest.tally import Tally, note


async def found(capacity: int, **how: float) -> list[Probe]:
    async def probe(people: int) -> Probe:
        return Probe(people, 0.1, 0, good=people <= capacity)

    return await search(probe, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("capacity", [1, 3, 4, 17, 100, 1000])
async def test_it_is_found_to_the_precision(capacity: int) -> None:
    """Never above the truth, and at most the precision below it, in few probes."""
    tried = await found(capacity, precision=0.05)
    assert 0.95 * capacity - 1 <= largest_good(tried) <= capacity
    assert len(tried) <= 16


async def test_a_service_that_serves_nobody_has_none() -> None:
    """Zero is an answer."""
    assert largest_good(await found(0)) == 0


async def test_the_search_ends_at_the_most() -> None:
    """A service larger than asked is not searched for ever."""
    tried = await found(10_000, most=64)
    assert largest_good(tried) == 64


def tally(latency: float, *, dropped: int = 0, failed: int = 0) -> Tally:
    seen = Tally()
    for _ in range(100):
        note(seen.latency, latency)
    seen.dropped["replaced"] = dropped
    seen.failed["no answer"] = failed
    return seen


@pytest.mark.parametrize(
    ("seen", "good"),
    [
        (tally(0.1), True),
        (tally(0.3), False),
        (tally(0.1, failed=1), False),
        (tally(0.1, dropped=4), True),
        (tally(0.1, dropped=20), False),
        (Tally(), False),
    ],
)
def test_what_counts_as_in_time(seen: Tally, good: bool) -> None:
    """p95 below the bound with drops counted as late, and not one failed session."""
    assert judge(5, seen, 0.2).good is good
