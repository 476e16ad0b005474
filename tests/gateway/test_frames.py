"""Each frame is answered once, and what a client was told stays true."""

from __future__ import annotations

import time

from gateway.frames import Frames
from gateway.limits import TokenBucket
from gateway.session import PendingFrame, Session
from shared.config import Config
from shared.estimation import Estimate, Profile
from shared.messages import Open, encode
from tests.support.stamp import stamped_jpeg


def session() -> Session:
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    return Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, profile=Profile.PASSIVE)


async def test_a_frame_dropped_at_its_deadline_is_not_judged_after_all() -> None:
    """A late estimate counts for nothing."""
    asked: list[PendingFrame] = []
    frames = Frames(Config())
    frames.submit = lambda _: None
    frames.ask_verdict = lambda session, frame: asked.append(frame)
    made = session()
    frames.accept(made, stamped_jpeg(1, 1))
    frame, made.waiting = made.waiting, None
    assert frame is not None
    made.active = frame
    frames.sweep([made], time.monotonic())
    assert not frame.answered
    frames.sweep([made], frame.deadline + 1)
    assert frame.answered
    frames.estimated(made, frame, encode(Estimate(640, 480)))
    assert asked == []
    assert made.active is None
