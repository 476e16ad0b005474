"""Each frame is answered once, and an answer that a client got stays valid."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest

from gateway import metrics
from gateway.limits.buckets import TokenBucket
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.codes import Code
from shared.config.service import ChecksSection, Config
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Judgement, Open, decode_estimate, encode
from shared.wire.protocol import CloseCode
from tests.support.clock import SettableClock
from tests.support.log import logged
from tests.support.quiet_links import QuietLink, QuietPool, quiet_frames
from tests.support.stamp import stamped_jpeg


def session() -> Session:
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    return Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, profile=Profile.PASSIVE)


async def test_a_frame_dropped_at_its_deadline_is_not_judged() -> None:
    """A late estimate is ignored."""
    link = QuietLink()
    asked = link.judging
    frames = quiet_frames(link=link)
    made = session()
    frames.accept(made, stamped_jpeg(1, 1))
    frame, _ = made.start()
    frames.sweep([made], time.monotonic())
    assert not frame.answered
    frames.sweep([made], frame.deadline + 1)
    assert frame.answered
    frames.estimated(made, frame, encode(Estimate(640, 480)))
    assert asked == []
    assert made.active is None


class RecordingOutlet:
    """An outlet that records what it is given."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def send(self, text: str) -> None:
        self.answers.append(json.loads(text))

    def close(self, code: CloseCode, reason: str) -> None:
        raise AssertionError(reason)

    def end_with(self, text: str, code: CloseCode, reason: str) -> None:
        raise AssertionError(reason)


def test_an_unreadable_frame_costs_only_an_answer() -> None:
    """Neither a worker nor the aggregator is asked, the log does not grow, no frame is replaced."""
    pool, link = QuietPool(), QuietLink()
    frames, made, outlet = quiet_frames(pool=pool, link=link), session(), RecordingOutlet()
    in_line, asked = pool.in_line, link.judging
    made.outlet = outlet
    frames.accept(made, stamped_jpeg(1, 1))
    frames.accept(made, b"x")
    assert (len(in_line), asked, made.log) == (1, [], [])
    assert made.waiting is not None
    assert (made.waiting.seq, made.active) == (1, None)
    (answer,) = outlet.answers
    assert (answer["command"], answer["headers"]) == ("STATUS", {"seq": 2})
    assert answer["body"] == {"isOk": False, "errors": [1], "details": {}}


def test_an_undecodable_frame_gets_the_same_answer() -> None:
    """Its header was valid, so it was in flight; the next frame then has its turn."""
    pool = QuietPool()
    frames, made, outlet = quiet_frames(pool=pool), session(), RecordingOutlet()
    in_line = pool.in_line
    made.outlet = outlet
    frames.accept(made, stamped_jpeg(1, 1))
    frame, _ = made.start()
    frames.accept(made, stamped_jpeg(1, 2))
    frames.refuse(made, frame, FrameError("damaged"))
    assert [answer["body"]["errors"] for answer in outlet.answers] == [[1]]
    assert (made.active, made.log, len(in_line)) == (None, [], 2)


def test_a_frame_is_answered_once() -> None:
    """A frame that was answered at its deadline gets no second answer once it is decoded."""
    frames, made, outlet = quiet_frames(), session(), RecordingOutlet()
    made.outlet = outlet
    frames.accept(made, stamped_jpeg(1, 1))
    frame, _ = made.start()
    frames.sweep([made], frame.deadline + 1)
    frames.refuse(made, frame, FrameError("damaged"))
    assert [answer["command"] for answer in outlet.answers] == ["DROPPED"]
    assert made.active is None


def test_a_refused_frame_is_logged_once() -> None:
    """The line has the reason for which its header was refused."""
    frames = quiet_frames()
    with logged("gateway", logging.INFO) as lines:
        frames.accept(session(), b"no picture")
    (line,) = lines
    assert line["message"] == "frame refused: the frame is neither JPEG, PNG nor WebP"


def test_the_wait_for_the_store_is_not_a_wait_for_the_aggregator() -> None:
    """Step ``judge`` ends with the judgement, ``store`` with the answer."""
    clock = SettableClock()
    frames = quiet_frames(clock=clock)
    opened = Open("", "0" * 32, 1.0, 2, bytes(32), commits=True)
    bucket = TokenBucket(9, 9)
    made = Session(opened.session, opened, "", bucket, 0.0, profile=Profile.PASSIVE, clock=clock)
    frames.accept(made, stamped_jpeg(1, 1))
    frame, _ = made.start()
    frames.estimated(made, frame, encode(Estimate(640, 480)))
    steps = metrics.JUDGE, metrics.STORE
    before = [step.total for step in steps]
    clock.advance(1.0)
    frames.judged(made, Judgement(made.id, 1, Profile.PASSIVE, "{}"))
    clock.advance(4.0)
    frames.answer(made)
    grown = [step.total - total for step, total in zip(steps, before, strict=True)]
    assert grown == [pytest.approx(1.0), pytest.approx(4.0)]


def test_images_are_rotated_as_configured() -> None:
    """The rotation applies from the header on; a reload applies from the next frame."""
    frames = quiet_frames(Config(CHECKS=ChecksSection(rotate=90)))
    made = session()
    frames.accept(made, stamped_jpeg(1, 1))
    first = made.waiting
    frames.renew(Config(CHECKS=ChecksSection(rotate=180)))
    frames.accept(made, stamped_jpeg(1, 2))
    second = made.waiting
    assert first is not None
    assert second is not None
    assert first.header is not None
    assert second.header is not None
    assert (first.rotation, first.header.upright_size) == (90, (480, 640))
    assert (second.rotation, second.header.upright_size) == (180, (640, 480))


def test_a_failed_frame_names_its_rotation() -> None:
    """Programs that show it later rotate it, too; its size is that of the rotated image."""
    header = intake.judge(stamped_jpeg(1, 1), Config().LIMITS).turned(270)
    frame = PendingFrame(1, b"", header, 0.0, 5.0, rotation=270)
    failed = decode_estimate(frame.failed(Profile.PASSIVE, Stage.FACES, Code.ESTIMATION_FAILED))
    assert (failed.width, failed.height, failed.rotation) == (480, 640, 270)
