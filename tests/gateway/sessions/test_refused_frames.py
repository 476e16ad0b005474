"""Every refused frame is counted, and logged with its reason unless there are too many."""

from __future__ import annotations

import logging

from gateway import metrics
from gateway.limits.buckets import TokenBucket
from gateway.sessions import refused_frames
from gateway.sessions.refused_frames import RefusedFrameLog
from gateway.state.session import Session
from shared.errors import FrameError
from shared.frame.estimation import Profile
from shared.wire.messages import Open
from tests.support.log import logged

LATER = 1e9
"""Monotonic time of these refusals, later than those of other tests."""
EMPTY = FrameError("the frame is empty", code="frame.empty")


def session(number: int = 0) -> Session:
    opened = Open("", f"{number:032x}", 1.0, 2, bytes(32))
    return Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, profile=Profile.PASSIVE)


def test_a_line_has_the_reason() -> None:
    """It has the reason with its code, the session and the frame's number."""
    with logged("gateway.sessions.refused_frames", logging.INFO) as lines:
        RefusedFrameLog().add(session(), 7, EMPTY, now=LATER)
    (line,) = lines
    assert line["message"] == "frame refused: the frame is empty"
    expected = ("0" * 32, 7, "frame.empty", 0)
    assert (line["session"], line["seq"], line["code"], line["leftOut"]) == expected


def test_one_session_cannot_fill_the_log() -> None:
    """A minute of refused frames is a few lines; the next one has the number of skipped ones."""
    frame_log, one = RefusedFrameLog(), session()
    with logged("gateway.sessions.refused_frames", logging.INFO) as lines:
        for seq in range(1800):
            frame_log.add(one, seq, EMPTY, now=LATER + seq / 30)
    assert refused_frames.SESSION_LINES <= len(lines) <= refused_frames.SESSION_LINES + 6
    assert sum(line["leftOut"] for line in lines) == lines[-1]["seq"] + 1 - len(lines)


def test_a_session_does_not_silence_another() -> None:
    """Each has its own lines."""
    frame_log = RefusedFrameLog()
    with logged("gateway.sessions.refused_frames", logging.INFO) as lines:
        for seq in range(1000):
            frame_log.add(session(1), seq, EMPTY, now=LATER)
        frame_log.add(session(2), 1, EMPTY, now=LATER)
    assert [line["session"] for line in lines][-1] == session(2).id


def test_many_sessions_cannot_fill_log_or_memory() -> None:
    """New sessions add no lines, and are not remembered forever."""
    frame_log = RefusedFrameLog()
    with logged("gateway.sessions.refused_frames", logging.INFO) as lines:
        for number in range(2 * refused_frames.SESSIONS):
            frame_log.add(session(number), 1, EMPTY, now=LATER + number / 1000)
    seconds = 2 * refused_frames.SESSIONS / 1000
    assert len(lines) <= refused_frames.LINES + refused_frames.RATE * seconds + 1
    assert len(frame_log._sessions) == refused_frames.SESSIONS


def test_every_refusal_is_counted() -> None:
    """It is counted by its code, whether or not it is logged."""
    counter = metrics.FRAMES_REFUSED.labels("frame.empty")
    before = counter.value
    frame_log = RefusedFrameLog()
    for seq in range(100):
        frame_log.add(session(), seq, EMPTY, now=LATER)
    assert counter.value == before + 100
