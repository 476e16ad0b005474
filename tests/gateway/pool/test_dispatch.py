"""A worker's messages are accepted only as far as they fit its job."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from gateway.pool.decoding import decode_into
from gateway.pool.workers import CHANCES
from shared.codes import Code
from shared.config.service import WorkersSection
from shared.frame.estimation import Capabilities
from shared.wire.messages import Done, Job, Leaving, Ready, SlabOffer, decode_estimate, encode
from shared.wire.records import MAX_ESTIMATE_BYTES
from tests.support.log import logged
from tests.support.pool_rig import FRAME, GOOD, Rig, session
from tests.support.stamp import read_stamp
from tests.support.waiting import until


async def test_a_valid_answer_is_accepted(rig: Rig) -> None:
    """The control: the slot is freed, and the estimate is passed on unchanged."""
    job = await rig.job()
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]
    assert rig.dispatcher.free_slots == 2


@pytest.mark.parametrize("early", [False, True])
async def test_an_early_refusal_is_recorded(rig: Rig, early: bool) -> None:
    """The session then knows whether a quick look at its next frame pays."""
    job = await rig.job()
    assert not job.quick
    await rig.say(Done(job.lease, job.slot, job.generation, False, GOOD, None, early))
    await until(lambda: rig.estimates)
    (frame,) = rig.frames
    assert frame.refused_early is early


async def test_a_job_asks_for_a_quick_look_if_that_pays(rig: Rig) -> None:
    """The session says so after an early refusal."""
    waiting = session()
    waiting.early_refusals = 1
    assert (await rig.job(waiting=waiting)).quick


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
    """The answer is ignored, and finally the frame counts as not judged."""
    job = await rig.job()
    await rig.say(LIES[lie](job))
    assert rig.estimates == []
    async with asyncio.timeout(60):
        while not rig.estimates:  # two workers get one attempt each
            await asyncio.sleep(0.35)
            rig.dispatcher.sweep()
            await rig.say(Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name))
    assert [decode_estimate(e).errors for e in rig.estimates] == [(Code.ESTIMATION_FAILED,)]
    assert rig.dispatcher.free_slots == 2


@pytest.mark.parametrize("noise", [b"", b"\xc1", b"x" * 300_000, encode(SlabOffer("/x", "y", 1))])
async def test_noise_on_the_workers_socket_is_ignored(rig: Rig, noise: bytes) -> None:
    """Bytes that are no message for the gateway have no effect."""
    job = await rig.job()
    await rig.send(noise)
    await rig.say(Done(job.lease, job.slot, job.generation, True, GOOD))
    await until(lambda: rig.estimates)
    assert rig.estimates == [GOOD]


async def test_done_without_an_estimate_is_ignored(rig: Rig) -> None:
    """An incomplete message counts as none."""
    job = await rig.job()
    whole = encode(Done(job.lease, job.slot, job.generation, True, GOOD))
    await rig.send(whole[: -len(GOOD)])
    assert rig.estimates == []


async def test_a_frame_that_cannot_be_sent_keeps_its_attempts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers ended before they got it, so it cannot be the cause of their end."""
    failures = [False] * CHANCES
    send = rig.dispatcher._channel.send

    def fail_first(message: bytes, peer: bytes) -> bool:
        return failures.pop() if failures else send(message, peer)

    monkeypatch.setattr(rig.dispatcher._channel, "send", fail_first)
    ready = Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name)
    await rig.say(ready)
    rig.dispatcher.submit(session())
    for _ in range(CHANCES):
        await until(lambda: not rig.dispatcher.workers.links)
        await rig.say(ready)
    job = await rig.hear()
    assert isinstance(job, Job)
    assert rig.estimates == []


async def test_a_frame_that_does_not_decode_is_refused(rig: Rig) -> None:
    """Its reason is reported, as for a bad header; its slot and its worker are free again."""
    await rig.say(Ready("w", 2**62, 1, Capabilities(True, False, "x"), rig.slab.name))
    rig.dispatcher.submit(session(data=FRAME[: len(FRAME) // 2]))
    await until(lambda: rig.refused)
    assert rig.refused == ["the JPEG frame is damaged"]
    assert rig.estimates == []
    assert (rig.dispatcher.free_slots, rig.dispatcher.open_leases) == (2, 0)


async def test_a_rotated_image_is_stored_rotated(rig: Rig) -> None:
    """The job names the rotation, for the estimate; header and pixels of the slot are rotated."""
    job = await rig.job(waiting=session(rotation=90))
    head = rig.slab.head(job.slot)
    assert (job.rotation, head.width, head.height) == (90, 480, 640)
    upright = np.rot90(rig.slab.frame(job.slot, job.generation, job.seq))
    assert read_stamp(upright) == (1, 1)


async def test_an_error_of_the_decoder_names_its_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names it, and the frame is answered as not decodable."""

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
    ("leaves", "states"), [(True, []), (False, ["lost"])], ids=["leaves", "dies"]
)
async def test_only_a_dead_worker_is_lost(rig: Rig, *, leaves: bool, states: list[str]) -> None:
    """A worker that was stopped is not ``lost``; one that returns continues its counts."""
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
    assert (again.state, again.estimated, again.lost) == ("idle", 1, len(states))


async def test_a_worker_that_returns_during_decoding_gets_the_frame(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was lost before; its answer is accepted."""
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


async def test_a_worker_with_another_slab_gets_no_job(rig: Rig) -> None:
    """It gets an offer of this gateway's slab, and no job until it has mapped that."""
    await rig.say(Ready("w", 1, 1, Capabilities(True, False, "x"), "other"))
    assert isinstance(await rig.hear(), SlabOffer)
    assert rig.dispatcher.workers.ready == []
