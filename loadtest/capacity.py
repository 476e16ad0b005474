"""Searches the largest crowd that a service serves in time: double until it fails, then halve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loadtest.tally import Tally


@dataclass(frozen=True)
class Probe:
    """One tried size.

    Attributes:
        people: number of kiosks.
        p95: seconds; infinite when more than one frame in twenty was dropped.
        failed: sessions that ended without a verdict.
        good: within the bound.
    """

    people: int
    p95: float
    failed: int
    good: bool


def judge(people: int, tally: Tally, bound: float) -> Probe:
    """Hold a tally against the bound: p95 below it, no failed session, and frames at all."""
    p95 = tally.percentile(0.95)
    failed = sum(tally.failed.values())
    late = float("inf") if p95 is None else p95
    return Probe(people, late, failed, good=late < bound and not failed)


async def search(
    probe: Callable[[int], Awaitable[Probe]],
    *,
    first: int = 4,
    growth: float = 2.0,
    most: int = 4096,
    precision: float = 0.05,
) -> list[Probe]:
    """Find the largest good size.

    Args:
        probe: tries a size.
        first: size to begin with.
        growth: factor from one size to the next while all are good.
        most: largest size to try.
        precision: gap between the best good and the least bad size, as a share, that is enough.

    Returns:
        All tried sizes in their order; the answer is the largest good one.
    """
    tried: list[Probe] = []
    good, bad = 0, most + 1
    people = first
    while bad - good > max(1, precision * good) and 1 <= people <= most:
        tried.append(await probe(people))
        if tried[-1].good:
            good = people
        else:
            bad = people
        people = (
            (good + bad) // 2 if bad <= most else min(max(people + 1, round(growth * people)), most)
        )
        if people in (good, bad):
            break
    return tried


def largest_good(tried: list[Probe]) -> int:
    """The largest size that was good; 0 when none was."""
    return max((probe.people for probe in tried if probe.good), default=0)
