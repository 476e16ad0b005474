"""A gateway's own count of refused sessions: its memory, and the waits of a whole day."""

from __future__ import annotations

import pytest

from gateway.sessions import refused_sessions
from gateway.sessions.refused_sessions import WINDOW_SECONDS, LocalRefusals, Tally, max_entries
from tests.support.clock import SettableClock

ADDRESS = "192.0.2.1"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def test_memory_is_limited(clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Per address and in total; the address refused longest ago is forgotten first."""
    monkeypatch.setattr(refused_sessions, "MAX_REMEMBERED", 30)
    local = LocalRefusals(clock=clock)
    for number in range(100):
        local.charge("a", f"{number}", 5)
    assert len(local) == local.tally("a").number == max_entries(5)
    for number in range(40):
        local.charge(f"b{number}", "x", 5)
        assert len(local) <= 30
    assert local.tally("a") == Tally()
    assert local.tally("b9") == Tally()
    assert local.tally("b39").number == 1


def test_expired_refusals_are_freed(clock: SettableClock) -> None:
    """This happens when the address is looked up again."""
    local = LocalRefusals(clock=clock)
    for number in range(4):
        local.charge("a", f"{number}", 5)
    clock.advance(WINDOW_SECONDS + 1)
    assert local.tally("a") == Tally()
    assert len(local) == 0
    local.charge("a", "0", 5)
    local.refund("a", "0")
    local.refund("a", "0")
    assert len(local) == 0


@pytest.mark.parametrize(("limit", "first", "later"), [(5, 10, (8, 10)), (20, 25, (21, 25))])
def test_the_attempts_per_day_are_as_documented(
    clock: SettableClock, limit: int, first: int, later: tuple[int, int]
) -> None:
    """A client that tries again as soon as allowed is refused as often as the docs say."""
    refusals, began = LocalRefusals(clock=clock), clock.monotonic()
    hours = [0] * 24
    while (hour := int((clock.monotonic() - began) // 3600)) < 24:
        if refusals.tally(ADDRESS).blocked_seconds(limit) <= 0:
            refusals.charge(ADDRESS, f"{clock.monotonic()}", limit)
            hours[hour] += 1
        clock.advance(10.0)
    assert hours[0] == first
    assert (min(hours[1:]), max(hours[1:])) == later
