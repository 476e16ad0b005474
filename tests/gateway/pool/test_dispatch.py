"""What a worker says is believed only as far as it fits its job."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from msgspec.structs import replace

from gateway.ledger import Ledger
from gateway.metrics import STEPS
from gateway.pool.best_shot import encode_best_shot
from gateway.pool.decoding import decode_into
from gateway.pool.dispatch import Dispatcher
from gateway.sessions.pending_frame import PendingFrame
from gateway.sessions.session import Session
from gateway.web.limits import TokenBucket
from shared.codes import Code
from shared.config.generation import with_transport_keys
from shared.config.service import Config, TransportSection, WorkersSection
from shared.errors import FrameError
from shared.frame import intake
from shared.frame.estimation import Capabilities, Estimate, Profile, Rotation
from shared.frame.slab import Slab
from shared.wire.lines import WORKERS
from shared.wire.messages import (
    Done,
    Job,
    Leaving,
    Message,
    Open,
    Ready,
    SlabOffer,
    decode,
    decode_estimate,
    encode,
)
from shared.wire.records import MAX_ESTIMATE_BYTES
from shared.wire.transport import connect
from tests.support.log import logged
from tests.support.stamp import read_stamp, stamped_jpeg
from tests.support.waiting import until

FRAME = stamped_jpeg(1, 1)
GOOD = encode(Estimate(640, 480))


def session(
    profile: Profile = Profile.PASSIVE, data: bytes = FRAME, rotation: Rotation = 0
) -> Session:
    opened = Open("", "0" * 32, 1.0, 2, bytes(32))
    made = Session(opened.session, opened, "", TokenBucket(9, 9), 0.0, profile=profile)
    header = intake.judge(data, Config().LIMITS).turned(rotation)
    now = time.monotonic()
    made.waiting = PendingFrame(1, data, header, now, now + 60, rotation=rotation)
    return made


class Counting(Dispatcher):
    """Counts what it has received."""

    received = 0

    def _receive(self, peer: bytes, data: bytes) -> None:
        super()._receive(peer, data)
        self.received += 1


@dataclass
class Rig:
    """A dispatcher and one end of a worker's line."""

    dispatcher: Counting
    slab: Slab
    line: zmq.Socket[bytes]
    estimates: list[bytes] = field(default_factory=list)
    frames: list[PendingFrame] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    sent: int = 0

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        self.estimates.append(estimate)
        self.frames.append(frame)

    def refuse(self, session: Session, frame: PendingFrame, error: FrameError) -> None:
        self.refused.append(str(error))

    async def say(self, message: Message) -> None:
        await self.send(encode(message))

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait until the dispatcher has dealt with them."""
        self.sent += 1
        self.line.send(data)
        await until(lambda: self.dispatcher.received == self.sent)

    async def hear(self) -> Message:
        assert await asyncio.to_thread(self.line.poll, 60_000), "nothing was said"
        return decode(self.line.recv())

    async def job(
        self,
        profile: Profile = Profile.PASSIVE,
        pid: int = 2**62,
        waiting: Session | None = None,
    ) -> Job:
        """Be welcomed as a worker and get a job."""
        await self.say(Ready("w", pid, 1, Capabilities(True, False, "x"), self.slab.name))
        self.dispatcher.submit(waiting or session(profile))
        job = await self.hear()
        assert isinstance(job, Job)
        return job


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    transport = TransportSection(workers=f"ipc://{tmp_path}/w", runtimeDirectory=str(tmp_path))
    config = with_transport_keys(
        Config(TRANSPORT=transport, WORKERS=WorkersSection(jobTimeout=0.3))
    )
    slab = Slab.create(slots=2, pixels=640 * 480)
    offer = SlabOffer(str(tmp_path / "slab.sock"), slab.name, slab.inode)
    dispatcher = Counting(config, slab, offer, Ledger(STEPS))
    line: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    connect(line, config, WORKERS)
    rig = Rig(dispatcher, slab, line)
    dispatcher.report_to(rig)
    yield rig
    line.close(linger=0)
    dispatcher.close()
    slab.close()


async def test_an_honest_answer_is_taken(rig: Rig) -> None:
    """The control: slot freed, estimate handed on as it came."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]
    assert rig.dispatcher.free_slots == 2


LIES: dict[str, Callable[[Job], Done]] = {
    "another slot": lambda job: Done(job.lease, job.slot + 1, job.generation, True, GOOD),
    "an earlier generation": lambda job: Done(job.lease, job.slot, job.generation - 1, True, GOOD),
    "another lease": lambda job: Done(job.lease + 1, job.slot, job.generation, True, GOOD),
    "a huge estimate": lambda job: Done(
        job.lease, job.slot, job.generation, True, bytes(MAX_ESTIMATE_BYTES + 1)
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_malicious_worker_message(rig: Rig, lie: str) -> None:
    """Its answer is not taken, and in the end its frame is answered as not judged."""
    job = await rig.job()
    await rig.say(LIES[lie](job))
    assert rig.estimates == []
    async with asyncio.timeout(60):
        while not rig.estimates:  # two workers have one chance each
            await asyncio.sleep(0.35)
            rig.dispatcher.sweep()
            await rig.say(Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name))
    assert [decode_estimate(e).errors for e in rig.estimates] == [(Code.ESTIMATION_FAILED,)]
    assert rig.dispatcher.free_slots == 2


@pytest.mark.parametrize("noise", [b"", b"\xc1", b"x" * 300_000, encode(SlabOffer("/x", "y", 1))])
async def test_noise_on_the_workers_line(rig: Rig, noise: bytes) -> None:
    """Bytes that are no message for the gateway have no effect."""
    job = await rig.job()
    await rig.send(noise)
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]


async def test_a_done_without_estimate(rig: Rig) -> None:
    """Half a message is none."""
    job = await rig.job()
    whole = encode(Done(job.lease, job.slot, job.generation, True, GOOD))
    await rig.send(whole[: -len(GOOD)])
    assert rig.estimates == []


async def test_a_frame_that_does_not_decode_is_refused(rig: Rig) -> None:
    """With its reason, as one whose header is refused; its slot and its worker are free again."""
    await rig.say(Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name))
    rig.dispatcher.submit(session(data=FRAME[: len(FRAME) // 2]))
    await until(lambda: rig.refused)
    assert rig.refused == ["the JPEG frame is damaged"]
    assert rig.estimates == []
    assert (rig.dispatcher.free_slots, rig.dispatcher.open_leases) == (2, 0)


async def test_a_turned_picture_lies_turned_in_its_slot(rig: Rig) -> None:
    """The job names the turn, for the estimate; head and pixels of the slot are the turned ones."""
    job = await rig.job(waiting=session(rotation=90))
    head = rig.slab.head(job.slot)
    assert (job.rotation, head.width, head.height) == (90, 480, 640)
    upright = np.rot90(rig.slab.frame(job.slot, job.generation, job.seq))
    assert read_stamp(upright) == (1, 1)


async def test_a_fault_of_the_decoder_names_its_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log; the frame is answered as not decodable."""

    def decode_nothing(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("gateway.pool.dispatch.decode_into", decode_nothing)
    with logged("gateway.pool.dispatch") as lines:
        await rig.say(Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name))
        rig.dispatcher.submit(session())
        await until(lambda: rig.refused)
    (entry,) = [line for line in lines if line["message"] == "decoding failed"]
    assert (entry["session"], entry["seq"]) == ("0" * 32, 1)
    assert rig.refused == ["the decoder failed"]


@pytest.mark.parametrize(
    ("leaves", "states"), [(True, []), (False, ["lost"])], ids=["takes its leave", "dies"]
)
async def test_only_who_died_is_missed(rig: Rig, *, leaves: bool, states: list[str]) -> None:
    """A worker that was stopped is not ``lost``; one that comes back continues its counts."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    ready = Ready("w", process.pid, 1, Capabilities(True, False, "x"), rig.slab.name)
    await rig.say(ready)
    rig.dispatcher.submit(session())
    job = await rig.hear()
    assert isinstance(job, Job)
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    if leaves:
        await rig.say(Leaving())
        assert [tally.state for tally in rig.dispatcher.workers.tallies] == ["leaving"]
    process.kill()
    await process.wait()
    await until(lambda: [tally.state for tally in rig.dispatcher.workers.tallies] == states)
    await rig.say(replace(ready, pid=2**62))
    (again,) = rig.dispatcher.workers.tallies
    assert (again.state, again.judged, again.lost) == ("idle", 1, len(states))


async def test_a_worker_that_comes_back_while_a_frame_is_decoded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was lost and is welcomed again gets that frame too, and its answer is taken."""
    begun, free = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> None:
        begun.set()
        free.wait(60)
        decode_into(*arguments)

    monkeypatch.setattr("gateway.pool.dispatch.decode_into", slow)
    ready = Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name)
    await rig.say(ready)
    rig.dispatcher.submit(session())
    assert await asyncio.to_thread(begun.wait, 60)
    silent = WorkersSection().heartbeatTimeout + 1
    rig.dispatcher.workers.ready[0].last_seen -= silent
    rig.dispatcher.sweep()
    assert rig.dispatcher.workers.ready == []
    await rig.say(ready)
    free.set()
    job = await rig.hear()
    assert isinstance(job, Job)
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]
    assert rig.dispatcher.free_slots == 2


async def test_a_frame_that_passed_has_its_best_shot(rig: Rig) -> None:
    """A JPEG of the pixels in its slot, once; then the slot is free and the estimate is sent."""
    job = await rig.job()
    judged = rig.slab.frame(job.slot, job.generation, job.seq).copy()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    (frame,) = rig.frames
    assert frame.shot is not None
    shown = cv2.imdecode(np.frombuffer(frame.shot.image, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - judged).mean() < 1
    assert frame.shot.source.sha256 == hashlib.sha256(FRAME).digest()
    assert (rig.estimates, rig.dispatcher.free_slots) == ([GOOD], 2)


@pytest.mark.parametrize(
    ("profile", "passed"), [(Profile.PASSIVE, False), (Profile.ACTIVE, True)], ids=["fails", "acts"]
)
async def test_only_a_frame_that_may_become_the_best_shot_is_encoded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, profile: Profile, passed: bool
) -> None:
    """One that failed a check, or was not fully judged, costs nothing more than its answer."""
    encoded: list[object] = []
    monkeypatch.setattr(
        "gateway.pool.dispatch.encode_best_shot", lambda *args: encoded.append(args)
    )
    job = await rig.job(profile)
    await rig.say(Done(job.lease, job.slot, job.generation, passed, GOOD))
    assert (rig.estimates, encoded) == ([GOOD], [])
    assert rig.frames[0].shot is None


async def test_an_error_of_the_encoder_fails_the_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code 2, in the log by session and frame; the slot is free again."""

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
    """Encodes only once it may."""

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
    """The frame is neither judged again nor lost; its slot counts as lent until it is encoded."""
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
    """It gets the next frame at once, and the slot of the one before stays as it was judged."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    assert await asyncio.to_thread(slow.begun.wait, 60)
    rig.dispatcher.submit(session())
    following = await rig.hear()
    assert isinstance(following, Job)
    assert following.slot != job.slot
    rig.slab.check(job.slot, job.generation, job.seq)
    slow.free.set()


async def test_what_is_encoded_after_the_end_is_dropped(rig: Rig, slow: SlowEncoder) -> None:
    """The gateway closes while a frame is in a thread; the frame is not reported any more."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    assert await asyncio.to_thread(slow.begun.wait, 60)
    threading.Timer(0.2, slow.free.set).start()
    rig.dispatcher.close()
    await asyncio.sleep(0.05)
    assert rig.estimates == []


async def test_a_worker_with_another_slab_gets_no_job(rig: Rig) -> None:
    """It learns where this gateway's frames are and must confirm that it maps them."""
    await rig.say(Ready("w", 1, 1, Capabilities(True, False, "x"), "other"))
    assert isinstance(await rig.hear(), SlabOffer)
    assert rig.dispatcher.workers.ready == []


def from_address(address: str, identity: str = "0") -> Session:
    made = session()
    made.address, made.id = address, identity * 32
    return made


async def test_addresses_take_turns(rig: Rig) -> None:
    """An address with many sessions in line does not hold up another one that came last."""
    for made in (*(from_address("192.0.2.1") for _ in range(5)), from_address("192.0.2.2", "1")):
        rig.dispatcher.submit(made)
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    jobs = [await rig.hear() for _ in range(2)]
    assert {job.session for job in jobs if isinstance(job, Job)} == {"0" * 32, "1" * 32}


async def test_one_address_alone_has_every_place(rig: Rig) -> None:
    """Also those at the side of busy workers."""
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    for _ in range(3):
        rig.dispatcher.submit(from_address("192.0.2.1"))
    for _ in range(2):
        assert isinstance(await rig.hear(), Job)
    assert rig.dispatcher.free_slots == 0


async def test_an_address_leaves_places_to_others(rig: Rig) -> None:
    """Where another one is active, its frames wait in line and not at the side of a busy worker."""
    await rig.say(Ready("w", 2**62, 2, Capabilities(True, False, "x"), rig.slab.name))
    rig.dispatcher.submit(from_address("192.0.2.2", "1"))
    job = await rig.hear()
    assert isinstance(job, Job)
    await rig.say(Done(job.lease, job.slot, job.generation, False, GOOD))
    for _ in range(3):
        rig.dispatcher.submit(from_address("192.0.2.1"))
    assert isinstance(await rig.hear(), Job)
    assert rig.dispatcher.free_slots == 1
    rig.dispatcher.submit(from_address("192.0.2.2", "1"))
    job = await rig.hear()
    assert isinstance(job, Job)
    assert job.session == "1" * 32


async def test_without_workers_ended_sessions_are_let_go(rig: Rig) -> None:
    """Who waits for a worker keeps its place in line; who has nothing to judge has none."""
    waiting, ended = session(), session()
    for made in (ended, waiting):
        rig.dispatcher.submit(made)
    ended.waiting = None
    rig.dispatcher.sweep()
    queue = rig.dispatcher._ready
    assert (waiting in queue, ended in queue) == (True, False)
    gone = weakref.ref(ended)
    del made, ended
    gc.collect()
    assert gone() is None
