"""Refused sessions per address: which count, how long an address must wait, what is remembered."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.limits.addresses import address_digest
from gateway.limits.buckets import TokenBucket
from gateway.sessions.refused_sessions import (
    FIRST_BLOCK_SECONDS,
    WINDOW_SECONDS,
    RefusedSessions,
    Tally,
)
from gateway.state.session import Session
from shared.frame.estimation import Profile
from shared.wire.messages import Judgement, Open
from shared.wire.protocol import CloseCode, ProtocolError
from tests.support.clock import SettableClock

ADDRESS = "192.0.2.1"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def session(
    number: int,
    address: str = ADDRESS,
    outcome: str = "",
    *,
    began_at: str = "",
    start: str = "{}",
) -> Session:
    identity = f"{number:032x}"
    opener = address_digest(b"", began_at) if began_at else ""
    opened = Open("", identity, 1.0, 7, bytes(32), opener=opener, start=start)
    made = Session(identity, opened, address, TokenBucket(1, 1), 0.0)
    made.outcome = outcome
    return made


def verdict(*, low_liveness: bool = False, profile: Profile = Profile.PASSIVE) -> Judgement:
    return Judgement("0" * 32, 1, profile, "", low_liveness=low_liveness)


class Addresses:
    """The limit of one gateway, and the sessions that it has ended."""

    def __init__(self, limit: int, clock: SettableClock | None = None, **limits: int) -> None:
        self.ended: list[Session] = []
        self.refused = RefusedSessions(
            limit, self.ended.append, clock=clock or SettableClock(), **limits
        )

    async def pause(self, address: str = ADDRESS) -> int:
        """Seconds for which an address has to wait; 0 if it may start a session."""
        try:
            await self.refused.admit(address)
        except ProtocolError as error:
            return error.retry_after or 0
        return 0

    def refuse(self, *numbers: int, address: str = ADDRESS) -> None:
        for number in numbers:
            self.refused.ended(session(number, address, "refused"))


async def test_at_the_limit_an_address_must_wait(clock: SettableClock) -> None:
    """It need not wait before or afterwards, and no other address must."""
    addresses = Addresses(3, clock)
    addresses.refuse(1, 2)
    assert await addresses.pause() == 0
    addresses.refuse(3)
    assert await addresses.pause() == FIRST_BLOCK_SECONDS
    assert await addresses.pause("192.0.2.2") == 0
    clock.advance(20)
    assert await addresses.pause() == FIRST_BLOCK_SECONDS - 20
    clock.advance(FIRST_BLOCK_SECONDS - 20)
    assert await addresses.pause() == 0


async def test_a_client_is_told_when_to_try_again(clock: SettableClock) -> None:
    """The refusal has its own code, a text and a number."""
    addresses = Addresses(1, clock)
    addresses.refuse(1)
    with pytest.raises(ProtocolError, match="try again in 60 s") as caught:
        await addresses.refused.admit(ADDRESS)
    assert caught.value.code == "session.too-many-refusals"
    assert caught.value.close_code == CloseCode.OVERLOADED
    assert caught.value.retry_after == FIRST_BLOCK_SECONDS


async def test_each_wait_is_twice_as_long(clock: SettableClock) -> None:
    """The waits grow up to the hour for which a refused session counts."""
    addresses = Addresses(3, clock)
    addresses.refuse(1, 2)
    pauses = []
    for number in range(3, 12):
        addresses.refuse(number)
        pauses.append(await addresses.pause())
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


async def test_a_refused_session_counts_for_an_hour(clock: SettableClock) -> None:
    """A few refusals, spread over time, never add up."""
    addresses = Addresses(3, clock)
    for number in range(50):
        addresses.refuse(number)
        clock.advance(WINDOW_SECONDS / 2.5)
        assert await addresses.pause() == 0


async def test_an_accepted_session_does_not_reset_the_count(clock: SettableClock) -> None:
    """It is not refused itself, whatever its first frames were."""
    addresses = Addresses(2, clock)
    addresses.refuse(1)
    lucky = session(2)
    addresses.refused.judged(lucky, verdict(low_liveness=True))
    assert await addresses.pause() == FIRST_BLOCK_SECONDS
    lucky.outcome = "accepted"
    addresses.refused.ended(lucky)
    assert await addresses.pause() == 0
    addresses.refuse(3)
    assert await addresses.pause() == FIRST_BLOCK_SECONDS


LEAVING = {
    "at once": ([verdict()], False),
    "after a frame with low liveness": ([verdict(low_liveness=True), verdict()], True),
    "after an action was asked": ([verdict(profile=Profile.ACTIVE), verdict()], True),
}


@pytest.mark.parametrize("how", LEAVING)
async def test_leaving_counts_as_an_attempt(clock: SettableClock, how: str) -> None:
    """A client that leaves once it could know the outcome has used an attempt."""
    verdicts, counts = LEAVING[how]
    addresses = Addresses(1, clock)
    left = session(1, outcome="left")
    for each in verdicts:
        addresses.refused.judged(left, each)
    addresses.refused.ended(left)
    assert (await addresses.pause() > 0) == counts


async def test_a_session_counts_once(clock: SettableClock) -> None:
    """Further refused frames and its end do not count again."""
    addresses = Addresses(2, clock)
    one = session(1, outcome="refused")
    for _ in range(5):
        addresses.refused.judged(one, verdict(low_liveness=True))
    addresses.refused.ended(one)
    assert await addresses.pause() == 0


async def test_simultaneous_sessions_get_no_more_attempts(clock: SettableClock) -> None:
    """All started before any was refused; those over the limit end at their first refusal."""
    addresses = Addresses(3, clock)
    crowd = [session(number) for number in range(8)]
    for one in crowd:
        one.refused_before = await addresses.refused.admit(ADDRESS)
    for one in crowd:
        addresses.refused.judged(one, verdict(low_liveness=True))
    assert addresses.ended == crowd[3:]


async def test_after_the_wait_one_running_session_continues(clock: SettableClock) -> None:
    """It started over the limit and is not ended for that; a second one beside it is."""
    addresses = Addresses(2, clock)
    addresses.refuse(1, 2)
    clock.advance(FIRST_BLOCK_SECONDS)
    pair = [session(3), session(4)]
    for one in pair:
        one.refused_before = await addresses.refused.admit(ADDRESS)
    for one in pair:
        addresses.refused.judged(one, verdict(low_liveness=True))
    assert addresses.ended == pair[1:]


OTHER = "198.51.100.7"


async def test_starting_at_another_address_does_not_evade_the_limit(clock: SettableClock) -> None:
    """A session started at one address and continued at another counts for both."""
    addresses = Addresses(2, clock)
    for number in range(2):
        addresses.refused.ended(session(number, OTHER, "refused", began_at=ADDRESS))
    assert await addresses.pause() > 0
    assert await addresses.pause(OTHER) > 0


async def test_the_address_that_started_sessions_is_limited(clock: SettableClock) -> None:
    """Sessions over its limit end, wherever their clients are now."""
    addresses = Addresses(2, clock)
    crowd = [session(number, OTHER, began_at=ADDRESS) for number in range(4)]
    for one in crowd:
        one.refused_before = await addresses.refused.admit(ADDRESS)
    for one in crowd:
        addresses.refused.judged(one, verdict(low_liveness=True))
    assert addresses.ended == crowd[2:]


async def test_a_session_that_moves_to_a_refused_address_is_not_ended(clock: SettableClock) -> None:
    """The address that started it is not responsible for what others did there."""
    addresses = Addresses(2, clock)
    addresses.refuse(1, 2, 3, address=OTHER)
    guest = session(4, OTHER, began_at=ADDRESS)
    addresses.refused.judged(guest, verdict(low_liveness=True))
    assert guest not in addresses.ended


async def test_an_accepted_session_is_refunded_everywhere(clock: SettableClock) -> None:
    """This includes an address that the client has left meanwhile."""
    addresses = Addresses(1, clock)
    lucky = session(1, OTHER, began_at=ADDRESS)
    addresses.refused.judged(lucky, verdict(low_liveness=True))
    assert await addresses.pause(OTHER) > 0
    lucky.address, lucky.outcome = "192.0.2.99", "accepted"
    addresses.refused.ended(lucky)
    assert [await addresses.pause(one) for one in (ADDRESS, OTHER, lucky.address)] == [0, 0, 0]


async def test_a_session_without_a_client_counts_where_it_started(clock: SettableClock) -> None:
    """A new gateway knows the digest of that address, and no current address."""
    addresses = Addresses(1, clock)
    addresses.refused.ended(session(1, "", "refused", began_at=ADDRESS))
    assert await addresses.pause() > 0


async def test_ipv6_counts_by_network(clock: SettableClock) -> None:
    """A client has a /64 of its own to choose addresses from."""
    addresses = Addresses(1, clock)
    addresses.refuse(1, address="2001:db8:1:2::/64")  # the form in which a session has its address
    assert await addresses.pause("2001:db8:1:2:aaaa::1") > 0
    assert await addresses.pause("2001:db8:1:3::1") == 0


async def test_zero_turns_the_limit_off(clock: SettableClock) -> None:
    """Nothing is counted."""
    addresses = Addresses(0, clock)
    addresses.refuse(*range(100))
    assert await addresses.pause() == 0


async def test_a_session_of_an_earlier_version_counts_for_no_address(clock: SettableClock) -> None:
    """Its record does not have the address of its start, and its client is not back."""
    addresses = Addresses(1, clock)
    addresses.refuse(1, address="")
    assert await addresses.pause("") == 0


ANNA, BERTA = (json.dumps({"sub": name, "kiosk": "door 3"}) for name in ("anna", "berta"))


async def pause_of(addresses: Addresses, start: str) -> int:
    """Seconds for which the person or kiosk of a start token has to wait."""
    try:
        await addresses.refused.admit_bound(start)
    except ProtocolError as error:
        return error.retry_after or 0
    return 0


async def test_a_person_must_wait_at_every_address(clock: SettableClock) -> None:
    """The waits grow for this person; other people and the addresses are not affected."""
    addresses = Addresses(0, clock, per_person=2)
    for number in range(2):
        assert await pause_of(addresses, ANNA) == 0
        one = session(number, f"192.0.2.{number}", "refused", start=ANNA)
        addresses.refused.ended(one)
    assert await pause_of(addresses, ANNA) == FIRST_BLOCK_SECONDS
    assert await pause_of(addresses, BERTA) == await pause_of(addresses, "{}") == 0
    clock.advance(FIRST_BLOCK_SECONDS)
    assert await pause_of(addresses, ANNA) == 0
    addresses.refused.ended(session(2, "192.0.2.9", "refused", start=ANNA))
    assert await pause_of(addresses, ANNA) == 2 * FIRST_BLOCK_SECONDS
    assert await addresses.pause("192.0.2.9") == 0


async def test_a_kiosk_must_wait_for_all_its_people(clock: SettableClock) -> None:
    """Different people at one kiosk count together; accepted ones do not count."""
    addresses = Addresses(0, clock, per_kiosk=2)
    for number, (start, outcome) in enumerate(
        [(ANNA, "refused"), (BERTA, "accepted"), (BERTA, "refused")]
    ):
        assert await pause_of(addresses, ANNA) == 0
        addresses.refused.ended(session(number, f"192.0.2.{number}", outcome, start=start))
    assert await pause_of(addresses, BERTA) == FIRST_BLOCK_SECONDS


async def test_simultaneous_sessions_of_a_person_end(clock: SettableClock) -> None:
    """They started before the limit was reached, and end like those of an address."""
    addresses = Addresses(0, clock, per_person=2)
    several = [session(number, f"192.0.2.{number}", start=ANNA) for number in range(4)]
    for one in several:
        addresses.refused.judged(one, verdict(low_liveness=True))
    assert addresses.ended == several[2:]


class SlowStore:
    """A store that counts the refusals of other gateways."""

    def __init__(self, others: int) -> None:
        self.others = others
        self.done: list[str] = []

    async def charge(self, address: str, session: str, limit: int) -> int | None:
        await asyncio.sleep(0)
        self.done.append("charge")
        return self.others

    async def refund(self, address: str, session: str) -> None:
        self.done.append("refund")

    async def tally(self, address: str) -> Tally:
        return Tally(self.others, 0.0)

    async def close(self) -> None:
        self.done.append("close")


async def test_refusals_at_other_gateways_count_here(clock: SettableClock) -> None:
    """They count for new and for running sessions; none is lost when the gateway shuts down."""
    store, ended = SlowStore(3), []
    refused = RefusedSessions(3, ended.append, store)
    with pytest.raises(ProtocolError, match="too many refused"):
        await refused.admit(ADDRESS)
    store.others = 2
    assert list((await refused.admit(ADDRESS)).values()) == [2]
    one, other = session(1), session(2, outcome="accepted")
    refused.judged(one, verdict(low_liveness=True))
    store.others = 3
    refused.judged(other, verdict(low_liveness=True))
    refused.ended(other)
    await refused.close()
    assert sorted(store.done[:-1]) == ["charge", "charge", "refund"]
    assert store.done[-1] == "close"
    assert ended == [one, other]
