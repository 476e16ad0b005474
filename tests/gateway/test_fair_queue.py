"""Addresses take turns in the line for a worker, and so do the sessions of each."""

from __future__ import annotations

from gateway.fair_queue import FairQueue
from gateway.limits import TokenBucket
from gateway.session import PendingFrame, Session
from shared.estimation import Profile
from shared.intake import Header
from shared.messages import Open

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
        queue.push(session(f"s{number}", "192.0.2.1"))
    queue.push(session("a", "192.0.2.2"))
    queue.push(session("b", "192.0.2.3"))
    assert order(queue)[:5] == ["s0", "a", "b", "s1", "s2"]


def test_the_sessions_of_an_address_take_turns() -> None:
    """In the order in which they came; one that comes again is behind the others."""
    queue = FairQueue()
    first, second = session("first", "192.0.2.1"), session("second", "192.0.2.1")
    queue.push(first)
    queue.push(second)
    assert queue.pop() is first
    queue.push(first)
    assert order(queue) == ["second", "first"]


def test_an_address_that_comes_again_waits_for_the_others() -> None:
    """So a client that is answered fast has no more turns than one that is slow."""
    queue = FairQueue()
    fast = session("fast", "192.0.2.1")
    queue.push(fast)
    queue.push(session("slow", "192.0.2.2"))
    assert queue.pop() is fast
    queue.push(fast)
    assert order(queue) == ["slow", "fast"]


def test_a_session_is_in_line_once() -> None:
    """However often it is put there."""
    queue, made = FairQueue(), session("a", "192.0.2.1")
    queue.push(made)
    queue.push(made)
    assert (len(queue), order(queue), len(queue), made.queued) == (1, ["a"], 0, False)


def test_a_session_without_a_frame_has_no_place() -> None:
    """Nor does its address; the others keep theirs."""
    queue = FairQueue()
    gone, left, other = (
        session("gone", "192.0.2.1"),
        session("left", "192.0.2.1"),
        session("other", "192.0.2.2"),
    )
    for made in (gone, left, other):
        queue.push(made)
    gone.waiting = other.waiting = None
    queue.drop_idle()
    assert (gone.queued, left.queued, other.queued, len(queue)) == (False, True, False, 1)
    assert order(queue) == ["left"]
