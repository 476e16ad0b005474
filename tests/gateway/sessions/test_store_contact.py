"""When an owner stops waiting for the store, and when a gateway may take over sessions from it."""

from __future__ import annotations

import pytest

from gateway.sessions.store_contact import GRACE_TIMEOUTS, StoreContact
from tests.support.clock import SettableClock

TIMEOUT = 1.0


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def contact_for(clock: SettableClock, seconds: float) -> StoreContact:
    """Return a contact whose attempts have succeeded for these seconds."""
    contact = StoreContact(TIMEOUT, clock=clock)
    end = clock.monotonic_time + seconds
    while clock.monotonic_time < end:
        contact.answered()
        clock.advance(contact.beat_seconds)
    return contact


def test_two_failed_attempts_in_a_row_are_an_outage(clock: SettableClock) -> None:
    """Together they take the whole timeout; an answer between them means that there is none."""
    contact = contact_for(clock, 10)
    contact.failed()
    assert not contact.down
    contact.answered()
    contact.failed()
    assert not contact.down
    contact.failed()
    assert contact.down
    assert not contact.reached
    assert 2 * contact.try_seconds == TIMEOUT
    contact.answered()
    assert contact.reached
    assert not contact.down


def test_a_new_gateway_takes_over_nothing_at_first(clock: SettableClock) -> None:
    """It cannot know whether the store was away until a moment ago."""
    contact = StoreContact(TIMEOUT, clock=clock)
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT
    assert contact_for(clock, GRACE_TIMEOUTS * TIMEOUT).grace_left() <= 0


@pytest.mark.parametrize("failed", [True, False], ids=["a failed attempt", "a late answer"])
def test_an_interruption_starts_a_grace_period(clock: SettableClock, failed: bool) -> None:
    """It appears as a failed attempt, or as a gap between two answers."""
    contact = contact_for(clock, 10)
    assert contact.grace_left() <= 0
    if failed:
        contact.failed()
    else:
        clock.advance(1.1 * contact.try_seconds)
    contact.answered()
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT


def test_every_outage_of_a_timeout_is_detected(clock: SettableClock) -> None:
    """Whenever it starts, it is detected before a session may be taken over."""
    for step in range(20):
        contact = contact_for(clock, 10)
        clock.advance(TIMEOUT * step / 19 * 0.25)  # at most one interval after the last answer
        clock.advance(TIMEOUT)  # the outage; the attempt during it hangs
        assert contact.grace_left() > 0
        contact.answered()
        assert contact.grace_left() > 0


def test_a_new_connection_starts_a_grace_period(clock: SettableClock) -> None:
    """It may lead to another server, which lacks what the previous one had confirmed."""
    contact = StoreContact(TIMEOUT, clock=clock)
    contact.connected()
    assert not contact.answered(), "nothing was stored before"
    clock.advance(contact.beat_seconds)
    contact.connected()
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT
    assert contact.answered(), "everything must be written again"
    assert not contact.answered()
