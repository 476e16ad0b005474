"""The dispatcher encodes the best shot from the slot of its frame, in a thread."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from gateway.pool.best_shot import encode_best_shot
from shared.codes import Code
from shared.frame.estimation import Profile
from shared.wire.messages import Done, Job, decode_estimate
from tests.support.log import logged
from tests.support.pool_rig import FRAME, GOOD, Rig, session
from tests.support.waiting import until


async def test_a_frame_that_passed_has_its_best_shot(rig: Rig) -> None:
    """It is a JPEG of the slot's pixels, encoded once.

    Then the slot is freed and the estimate sent.
    """
    job = await rig.job()
    judged = rig.slab.frame(job.slot, job.generation, job.seq).copy()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD, score=0.9))
    await until(lambda: rig.estimates)
    (frame,) = rig.frames
    assert frame.shot is not None
    shown = cv2.imdecode(np.frombuffer(frame.shot.image, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - judged).mean() < 1
    assert frame.shot.source.sha256 == hashlib.sha256(FRAME).digest()
    assert (rig.estimates, rig.dispatcher.free_slots) == ([GOOD], 2)


@pytest.mark.parametrize(
    ("profile", "passed", "best_score"),
    [(Profile.PASSIVE, False, None), (Profile.ACTIVE, True, None), (Profile.PASSIVE, True, 0.9)],
    ids=["fails", "acts", "is not better"],
)
async def test_only_a_frame_that_may_become_the_best_shot_is_encoded(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    profile: Profile,
    passed: bool,
    best_score: float | None,
) -> None:
    """A frame that failed a check, was not fully judged or has no higher score is not encoded."""
    encoded: list[object] = []
    monkeypatch.setattr(
        "gateway.pool.dispatch.encode_best_shot", lambda *args: encoded.append(args)
    )
    waiting = session(profile)
    waiting.best_score = best_score
    job = await rig.job(waiting=waiting)
    await rig.say(Done(job.lease, job.slot, job.generation, passed, GOOD, score=0.9))
    assert (rig.estimates, encoded) == ([GOOD], [])
    assert rig.frames[0].shot is None
    assert rig.frames[0].passed == (passed and profile is Profile.PASSIVE)


async def test_an_error_of_the_encoder_fails_the_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets code 2, and the log names session and frame; the slot is free again."""

    def encode_nothing(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("gateway.pool.dispatch.encode_best_shot", encode_nothing)
    job = await rig.job()
    with logged("gateway.pool.dispatch") as lines:
        await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
        await until(lambda: rig.estimates)
    (entry,) = [line for line in lines if line["message"] == "encoding failed"]
    assert (entry["session"], entry["seq"]) == ("0" * 32, 1)
    assert [decode_estimate(e).errors for e in rig.estimates] == [(Code.ESTIMATION_FAILED,)]
    assert rig.frames[0].shot is None
    assert (rig.dispatcher.free_slots, rig.dispatcher.open_leases) == (2, 0)


@dataclass
class SlowEncoder:
    """Encodes only once the test permits it."""

    begun: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def __call__(self, *arguments: Any) -> None:
        self.begun.set()
        self.free.wait(60)
        encode_best_shot(*arguments)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowEncoder:
    encoder = SlowEncoder()
    monkeypatch.setattr("gateway.pool.dispatch.encode_best_shot", encoder)
    return encoder


async def test_a_worker_that_dies_after_its_answer_changes_nothing(
    rig: Rig, slow: SlowEncoder
) -> None:
    """The frame is neither judged again nor lost; its slot stays leased until it is encoded."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    job = await rig.job(pid=process.pid)
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    assert await asyncio.to_thread(slow.begun.wait, 60)
    process.kill()
    await process.wait()
    await until(lambda: rig.dispatcher.workers.ready == [])
    assert (rig.dispatcher.open_leases, rig.dispatcher.free_slots) == (1, 1)
    slow.free.set()
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]
    assert rig.frames[0].shot is not None
    assert (rig.dispatcher.open_leases, rig.dispatcher.free_slots) == (0, 2)


async def test_a_worker_is_free_while_its_frame_is_encoded(rig: Rig, slow: SlowEncoder) -> None:
    """It gets the next frame at once, and the previous slot keeps the judged pixels."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    assert await asyncio.to_thread(slow.begun.wait, 60)
    rig.dispatcher.submit(session())
    following = await rig.hear()
    assert isinstance(following, Job)
    assert following.slot != job.slot
    rig.slab.check(job.slot, job.generation, job.seq)
    slow.free.set()


async def test_an_image_encoded_after_the_close_is_dropped(rig: Rig, slow: SlowEncoder) -> None:
    """The gateway closes while a frame is in a thread; the frame is no longer reported."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    assert await asyncio.to_thread(slow.begun.wait, 60)
    threading.Timer(0.2, slow.free.set).start()
    rig.dispatcher.close()
    await asyncio.sleep(0.05)
    assert rig.estimates == []
