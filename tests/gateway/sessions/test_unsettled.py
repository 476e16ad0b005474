"""Frames are retained until their side effects are done, only if needed and within a limit."""

from __future__ import annotations

import pytest

from gateway import metrics
from gateway.limits.buckets import TokenBucket
from gateway.sessions.unsettled import Unsettled
from gateway.state.pending_frame import FramePictures, PendingFrame
from gateway.state.session import Session
from shared.config.middlewares import WsMiddlewares
from shared.config.service import Config
from shared.frame.intake import Header
from shared.wire.messages import Open
from shared.wire.records import END
from tests.support.judge import shot


def plugins(*names: str) -> WsMiddlewares:
    on = {name: {"isEnabled": True} for name in names}
    return Config.model_validate({"MIDDLEWARES": {"WS": on}}).MIDDLEWARES.WS


LOGGED = plugins("FileLogger")
HEADER = Header("jpeg", 640, 480)


def frame(seq: int, size: int, best: bytes | None = None) -> PendingFrame:
    made = PendingFrame(seq, bytes(size), HEADER, 0.0, 60.0)
    made.shot = shot(seq, best) if best is not None else None
    made.passed = made.shot is not None
    return made


def session(number: int = 0) -> Session:
    opened = Open("", f"{number:032x}", 1000.0, 7, bytes(32))
    return Session(opened.session, opened, "192.0.2.7", TokenBucket(1, 1), 0.0)


def test_frames_are_retained_until_they_are_settled() -> None:
    """A mark releases everything up to it; a late lower one changes nothing."""
    kept, one = Unsettled(LOGGED, 100), session()
    for seq in (1, 3, 4):
        kept.keep(one, frame(seq, 10))
    kept.settle(one, 3)
    assert (list(one.unsettled), one.settled, kept.bytes) == ([4], 3, 10)
    kept.settle(one, 1)
    assert (list(one.unsettled), one.settled) == ([4], 3)
    kept.settle(one, END)
    assert (one.unsettled, one.settled, kept.bytes) == ({}, END, 0)


def test_frames_over_the_limit_are_dropped_and_counted() -> None:
    """All sessions share one limit; settling and forgetting free memory."""
    kept, one, two = Unsettled(LOGGED, 100), session(1), session(2)
    before = metrics.totals(metrics.UNKEPT)[""]
    kept.keep(one, frame(1, 60))
    kept.keep(two, frame(1, 60))
    assert metrics.totals(metrics.UNKEPT)[""] == before + 1
    assert (list(one.unsettled), two.unsettled) == ([1], {})
    kept.forget(one)
    kept.keep(two, frame(2, 100))
    assert (list(two.unsettled), kept.bytes) == ([2], 100)


def test_no_frame_is_retained_without_a_plugin() -> None:
    """Without FileLogger and VideoRedis a frame is released with its verdict."""
    kept, one = Unsettled(plugins("Callbacks"), 100), session()
    kept.keep(one, frame(1, 10))
    assert (one.unsettled, kept.bytes) == ({}, 0)


@pytest.mark.parametrize(
    ("names", "received"),
    [
        (["FileLogger"], bytes(10)),
        (["VideoRedis"], None),
        (["FileLogger", "VideoRedis"], bytes(10)),
    ],
)
def test_a_passed_frame_is_retained_in_the_forms_that_plugins_need(
    names: list[str], received: bytes | None
) -> None:
    """The JPEG of its judged pixels, and the received bytes only for FileLogger; both count."""
    kept, one = Unsettled(plugins(*names), 100), session()
    kept.keep(one, frame(1, 10, b"jpeg"))
    assert one.unsettled == {1: FramePictures(received, shot(1, b"jpeg"))}
    assert kept.bytes == len(received or b"") + len(b"jpeg")
    kept.settle(one, 1)
    assert kept.bytes == 0
