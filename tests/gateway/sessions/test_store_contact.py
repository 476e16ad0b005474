"""When an owner stops waiting for the store, and when a gateway may take sessions from it."""

from __future__ import annotations

import pytest

from gateway.sessions.store_contact import GRACE_TIMEOUTS, StoreContact
from tests.support.clock import SettableClock

TIMEOUT = 1.0


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def contact_for(clock: SettableClock, seconds: float) -> StoreContact:
    """A contact whose tries have succeeded for so long."""
    contact = StoreContact(TIMEOUT, clock=clock)
    end = clock.monotonic_time + seconds
    while clock.monotonic_time < end:
        contact.answered()
        clock.advance(contact.beat_seconds)
    return contact


def test_two_failed_tries_in_a_row_mean_down(clock: SettableClock) -> None:
    """Together they take the whole timeout; an answer between them means that it is not down."""
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


def test_a_new_gateway_takes_nothing_at_first(clock: SettableClock) -> None:
    """It cannot know whether the store was away until a moment ago."""
    contact = StoreContact(TIMEOUT, clock=clock)
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT
    assert contact_for(clock, GRACE_TIMEOUTS * TIMEOUT).grace_left() <= 0


@pytest.mark.parametrize("failed", [True, False], ids=["a try failed", "an answer came late"])
def test_a_break_begins_a_grace_period(clock: SettableClock, failed: bool) -> None:
    """However it shows: as a failed try, or as a gap between two answers."""
    contact = contact_for(clock, 10)
    assert contact.grace_left() <= 0
    if failed:
        contact.failed()
    else:
        clock.advance(1.1 * contact.try_seconds)
    contact.answered()
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT


def test_no_outage_of_a_timeout_stays_unseen(clock: SettableClock) -> None:
    """Wherever between two tries it begins, it is seen before a session may be taken."""
    for step in range(20):
        contact = contact_for(clock, 10)
        clock.advance(TIMEOUT * step / 19 * 0.25)  # at most a beat after the last answer
        clock.advance(TIMEOUT)  # the outage; the try within it hangs
        assert contact.grace_left() > 0
        contact.answered()
        assert contact.grace_left() > 0


def test_a_new_connection_begins_a_grace_period(clock: SettableClock) -> None:
    """Behind it may be another server, which lacks what the one before had confirmed."""
    contact = StoreContact(TIMEOUT, clock=clock)
    contact.connected()
    assert not contact.answered(), "nothing was stored before"
    clock.advance(contact.beat_seconds)
    contact.connected()
    assert contact.grace_left() == GRACE_TIMEOUTS * TIMEOUT
    assert contact.answered(), "all is to be written again"
    assert not contact.answered()
