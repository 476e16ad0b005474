"""Addresses take turns in the queue for a worker, and so do the sessions of each."""

from __future__ import annotations

from gateway.limits.buckets import TokenBucket
from gateway.pool.fair_queue import ACTIVE_SECONDS, FairQueue
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.frame.estimation import Profile
from shared.frame.intake import Header
from shared.wire.messages import Open

HEADER = Header("jpeg", 640, 480)


def session(name: str, address: str) -> Session:
    """Return a session with a frame that may start."""
    opened = Open("", name, 1.0, 2, bytes(32))
    made = Session(name, opened, address, TokenBucket(9, 9), 0.0, profile=Profile.PASSIVE)
    made.waiting = PendingFrame(1, b"", HEADER, 0.0, 60.0)
    return made


def order(queue: FairQueue) -> list[str]:
    """Return the names of all sessions in the order of their turns."""
    taken = []
    while (next_one := queue.pop()) is not None:
        taken.append(next_one.id)
    return taken


def test_addresses_take_turns() -> None:
    """Each address gets every third turn, however many sessions one of them has queued."""
    queue = FairQueue()
    for number in range(60):
        queue.push(session(f"s{number}", "192.0.2.1"), 0.0)
    queue.push(session("a", "192.0.2.2"), 0.0)
    queue.push(session("b", "192.0.2.3"), 0.0)
    assert order(queue)[:5] == ["s0", "a", "b", "s1", "s2"]


def test_the_sessions_of_an_address_take_turns() -> None:
    """They are served in the order of arrival; one that returns is queued last."""
    queue = FairQueue()
    first, second = session("first", "192.0.2.1"), session("second", "192.0.2.1")
    queue.push(first, 0.0)
    queue.push(second, 0.0)
    assert queue.pop() is first
    queue.push(first, 0.0)
    assert order(queue) == ["second", "first"]


def test_a_returning_address_waits_for_the_others() -> None:
    """A client with fast answers gets no more turns than a slow one."""
    queue = FairQueue()
    fast = session("fast", "192.0.2.1")
    queue.push(fast, 0.0)
    queue.push(session("slow", "192.0.2.2"), 0.0)
    assert queue.pop() is fast
    queue.push(fast, 0.0)
    assert order(queue) == ["slow", "fast"]


def test_a_session_is_queued_once() -> None:
    """Adding it again changes nothing."""
    queue, made = FairQueue(), session("a", "192.0.2.1")
    queue.push(made, 0.0)
    queue.push(made, 0.0)
    assert (len(queue), order(queue), len(queue), made in queue) == (1, ["a"], 0, False)


def test_a_session_without_a_frame_has_no_place() -> None:
    """Its address has no place either; the others keep theirs."""
    queue = FairQueue()
    gone, left, other = (
        session("gone", "192.0.2.1"),
        session("left", "192.0.2.1"),
        session("other", "192.0.2.2"),
    )
    for made in (gone, left, other):
        queue.push(made, 0.0)
    gone.waiting = other.waiting = None
    queue.tidy(0.0)
    assert [made in queue for made in (gone, left, other)] == [False, True, False]
    assert len(queue) == 1
    assert order(queue) == ["left"]


def test_a_skipped_address_keeps_its_place() -> None:
    """Others are served meanwhile."""
    queue = FairQueue()
    queue.push(session("first", "192.0.2.1"), 0.0)
    queue.push(session("second", "192.0.2.2"), 0.0)
    assert queue.pop(lambda address: False) is None
    second = queue.pop(lambda address: address != "192.0.2.1")
    assert second is not None
    assert (second.id, order(queue)) == ("second", ["first"])


def test_an_address_stays_active_for_a_while() -> None:
    """The time starts at its last frame, whether judged or not."""
    queue = FairQueue()
    queue.push(session("a", "192.0.2.1"), 0.0)
    queue.push(session("b", "192.0.2.2"), 3.0)
    assert order(queue) == ["a", "b"]
    queue.tidy(ACTIVE_SECONDS)
    assert queue.active == 2
    queue.tidy(ACTIVE_SECONDS + 1)
    assert queue.active == 1
