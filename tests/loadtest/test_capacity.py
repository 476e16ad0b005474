"""The search for capacity, on services of known capacity."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from loadtest.capacity import TriedSize, judge, largest_good, search, write
from loadtest.plan import Plan
from loadtest.tally import CUT, UNJUDGED, CrowdTally, record


async def found(capacity: int, **how: float) -> list[TriedSize]:
    async def probe(people: int) -> TriedSize:
        return TriedSize(people, 0.1, {}, good=people <= capacity)

    return await search(probe, **how)  # type: ignore[arg-type]


def size(tried: list[TriedSize]) -> int:
    best = largest_good(tried)
    assert best is not None
    return best.people


@pytest.mark.parametrize("capacity", [1, 3, 4, 17, 100, 1000])
async def test_it_is_found_to_the_precision(capacity: int) -> None:
    """The result is at most the true capacity, within the precision, after few probes."""
    tried = await found(capacity, precision=0.05)
    assert 0.95 * capacity - 1 <= size(tried) <= capacity
    assert len(tried) <= 16


async def test_a_capacity_of_zero_is_found() -> None:
    """The result may be zero."""
    assert largest_good(await found(0)) is None


async def test_the_search_ends_at_the_largest_size() -> None:
    """It never tries a larger one."""
    tried = await found(10_000, most=64)
    assert size(tried) == 64


def tally(latency: float, *, dropped: int = 0, failed: int = 0) -> CrowdTally:
    seen = CrowdTally()
    for _ in range(100):
        record(seen.latency, latency)
    seen.dropped["replaced"] = dropped
    seen.failed["no answer"] += failed
    seen.failed = +seen.failed
    return seen


@pytest.mark.parametrize(
    ("seen", "good"),
    [
        (tally(0.1), True),
        (tally(0.3), False),
        (tally(0.1, failed=1), False),
        (tally(0.1, dropped=4), True),
        (tally(0.1, dropped=20), False),
        (CrowdTally(), False),
    ],
)
def test_a_size_is_good_if_its_frames_are_in_time(seen: CrowdTally, good: bool) -> None:
    """A size is good if p95 is below the bound, drops count as late, and no session failed."""
    assert judge(5, seen, 0.2, seconds=1).good is good


def test_frames_that_were_not_judged_are_late() -> None:
    """A service with dead workers answers fast but has no capacity."""
    seen = tally(0.1)
    seen.dropped[UNJUDGED] = 20
    assert not judge(5, seen, 0.2, seconds=1).good


def test_frames_of_a_connection_cut_by_the_person_are_not_late() -> None:
    """Frames after the verdict or a cut connection could not be answered."""
    seen = tally(0.1)
    seen.dropped[CUT] = 20
    assert judge(5, seen, 0.2, seconds=1).good


def test_the_probes_are_written(tmp_path: Path) -> None:
    """The result is valid JSON, without infinity."""
    tried = [TriedSize(4, 0.05, {}, True, 20.0), TriedSize(8, math.inf, {"session.full": 2}, False)]
    file = write(tried, Plan("ws://h/ws"), 0.2, tmp_path / "new")
    report = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert report["people"] == 4
    assert "2 session.full" in str(tried[1])
    assert [probe["p95"] for probe in report["tried"]] == [0.05, None]
