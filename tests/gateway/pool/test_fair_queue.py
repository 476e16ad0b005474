"""Addresses take turns in the line for a worker, and so do the sessions of each."""

from __future__ import annotations

from gateway.pool.fair_queue import ACTIVE_SECONDS, FairQueue
from gateway.sessions.pending_frame import PendingFrame
from gateway.sessions.session import Session
from gateway.web.limits import TokenBucket
from shared.frame.estimation import Profile
from shared.frame.intake import Header
from shared.wire.messages import Open

HEADER = Header("jpeg", 640, 480)


def session(name: str, address: str) -> Session:
    """A session with a frame that may begin."""
    opened = Open("", name, 1.0, 2, bytes(32))
    made = Session(name, opened, address, TokenBucket(9, 9), 0.0, profile=Profile.PASSIVE)
    made.waiting = PendingFrame(1, b"", HEADER, 0.0, 60.0)
    return made


def order(queue: FairQueue) -> list[str]:
    """Names of all sessions in the order of their turns."""
    taken = []
    while (next_one := queue.pop()) is not None:
        taken.append(next_one.id)
    return taken


def test_addresses_take_turns() -> None:
    """However many sessions one of them has in line, each other one has every third turn here."""
    queue = FairQueue()
    for number in range(60):
        queue.push(session(f"s{number}", "192.0.2.1"), 0.0)
    queue.push(session("a", "192.0.2.2"), 0.0)
    queue.push(session("b", "192.0.2.3"), 0.0)
    assert order(queue)[:5] == ["s0", "a", "b", "s1", "s2"]


def test_the_sessions_of_an_address_take_turns() -> None:
    """In the order in which they came; one that comes again is behind the others."""
    queue = FairQueue()
    first, second = session("first", "192.0.2.1"), session("second", "192.0.2.1")
    queue.push(first, 0.0)
    queue.push(second, 0.0)
    assert queue.pop() is first
    queue.push(first, 0.0)
    assert order(queue) == ["second", "first"]


def test_an_address_that_comes_again_waits_for_the_others() -> None:
    """So a client that is answered fast has no more turns than one that is slow."""
    queue = FairQueue()
    fast = session("fast", "192.0.2.1")
    queue.push(fast, 0.0)
    queue.push(session("slow", "192.0.2.2"), 0.0)
    assert queue.pop() is fast
    queue.push(fast, 0.0)
    assert order(queue) == ["slow", "fast"]


def test_a_session_is_in_line_once() -> None:
    """However often it is put there."""
    queue, made = FairQueue(), session("a", "192.0.2.1")
    queue.push(made, 0.0)
    queue.push(made, 0.0)
    assert (len(queue), order(queue), len(queue), made in queue) == (1, ["a"], 0, False)


def test_a_session_without_a_frame_has_no_place() -> None:
    """Nor does its address; the others keep theirs."""
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


def test_an_address_may_have_to_wait_for_its_turn() -> None:
    """It keeps its place while others have theirs."""
    queue = FairQueue()
    queue.push(session("first", "192.0.2.1"), 0.0)
    queue.push(session("second", "192.0.2.2"), 0.0)
    assert queue.pop(lambda address: False) is None
    second = queue.pop(lambda address: address != "192.0.2.1")
    assert second is not None
    assert (second.id, order(queue)) == ("second", ["first"])


def test_an_address_is_active_for_a_while() -> None:
    """From its last frame on, whether that was judged or not."""
    queue = FairQueue()
    queue.push(session("a", "192.0.2.1"), 0.0)
    queue.push(session("b", "192.0.2.2"), 3.0)
    assert order(queue) == ["a", "b"]
    queue.tidy(ACTIVE_SECONDS)
    assert queue.active == 2
    queue.tidy(ACTIVE_SECONDS + 1)
    assert queue.active == 1
