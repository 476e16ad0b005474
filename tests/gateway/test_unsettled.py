"""Frames kept until their side effects are done: what is needed, no more, within the bound."""

from __future__ import annotations

from gateway import metrics
from gateway.limits import TokenBucket
from gateway.session import Session
from gateway.unsettled import Unsettled
from shared.messages import END, Open


def session(number: int = 0) -> Session:
    opened = Open("", f"{number:032x}", 1000.0, 7, bytes(32))
    return Session(opened.session, opened, "192.0.2.7", TokenBucket(1, 1), 0.0)


def test_frames_are_kept_until_they_are_settled() -> None:
    """A mark lets go everything up to it; a late lower one changes nothing."""
    kept, one = Unsettled(wanted=True, capacity=100), session()
    for seq in (1, 3, 4):
        kept.keep(one, seq, bytes(10))
    kept.settle(one, 3)
    assert (list(one.unsettled), one.settled, kept.bytes) == ([4], 3, 10)
    kept.settle(one, 1)
    assert (list(one.unsettled), one.settled) == ([4], 3)
    kept.settle(one, END)
    assert (one.unsettled, one.settled, kept.bytes) == ({}, END, 0)


def test_what_does_not_fit_is_not_kept_and_counted() -> None:
    """The bound is one for all sessions; settling and forgetting make room."""
    kept, one, two = Unsettled(wanted=True, capacity=100), session(1), session(2)
    before = metrics.totals(metrics.UNKEPT)[""]
    kept.keep(one, 1, bytes(60))
    kept.keep(two, 1, bytes(60))
    assert metrics.totals(metrics.UNKEPT)[""] == before + 1
    assert (list(one.unsettled), two.unsettled) == ([1], {})
    kept.forget(one)
    kept.keep(two, 2, bytes(100))
    assert (list(two.unsettled), kept.bytes) == ([2], 100)


def test_nothing_is_kept_where_no_plugin_needs_it() -> None:
    """Without FileLogger and VideoRedis a frame is gone with its verdict."""
    kept, one = Unsettled(wanted=False, capacity=100), session()
    kept.keep(one, 1, bytes(10))
    assert (one.unsettled, kept.bytes) == ({}, 0)
