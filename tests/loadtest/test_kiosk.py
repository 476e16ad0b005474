"""A kiosk against a scripted service: it obeys and resumes, and every failure is counted."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from loadtest import kiosk as module
from loadtest.gallery import Gallery
from loadtest.kiosk import Kiosk
from loadtest.plan import Plan
from loadtest.tally import CUT, CrowdTally
from shared.codes import Code
from shared.wire.protocol import Command
from tests.support.scripted import (
    GRANTED,
    RESULT,
    answer_disconnect,
    message,
    run_person,
    service,
    status,
    without_noise,
)


async def test_a_prompt_is_obeyed(gallery: Gallery) -> None:
    """After the prompt to turn left, the frames show a turn to the left and back."""
    seen: list[float] = []

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        seq = 0
        async for frame in socket:
            seq += 1
            assert isinstance(frame, bytes)
            seen.append(float(frame.split(b"yaw=")[1].split(b",")[0]))
            if max(seen) > 20 and seen[-1] < 3:
                await socket.send(status(seq))
                await socket.send(message(Command.RESULT, RESULT))
                return
            await asyncio.sleep(0.02)
            await socket.send(status(seq, Code.ASK_TURN_LEFT))

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert tally.counts["accepted"] == 1
    assert max(seen) > 20
    assert seen[0] < 3


async def test_a_broken_connection_is_resumed_by_token(gallery: Gallery) -> None:
    """The next CONNECT has session and token; the session is counted once."""
    connects: list[dict[str, Any]] = []

    async def script(socket: ServerConnection, connect: dict[str, Any]) -> None:
        connects.append(connect)
        await socket.recv()
        if len(connects) == 1:
            socket.transport.abort()
        else:
            await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert "session-id" not in connects[0]
    assert (connects[1]["session-id"], connects[1]["resume-token"]) == ("s", "t")
    assert (tally.counts["resumed"], tally.counts["accepted"]) == (1, 1)
    assert not tally.failed


async def test_a_connection_broken_on_purpose_is_resumed(gallery: Gallery) -> None:
    """With ``breaks`` the kiosk itself breaks the connection during the session."""
    frames: list[int] = []

    async def script(socket: ServerConnection, connect: dict[str, Any]) -> None:
        if "session-id" in connect:
            await socket.send(message(Command.RESULT, RESULT))
            return
        async for _ in socket:
            frames.append(1)
            await socket.send(status(len(frames), Code.BLURRED))

    async with service(script) as url:
        tally = await run_person(url, gallery, breaks=1.0)
    assert tally.counts["resumed"] == 1
    assert 1 <= len(frames) <= 8
    assert tally.counts["accepted"] == 1
    assert set(+tally.dropped) <= {CUT, "ended"}  # the service is not to blame


async def test_an_impatient_person_disconnects(gallery: Gallery) -> None:
    """Leaving is no failure, and the final answer is awaited."""
    async with service(answer_disconnect) as url:
        tally = await run_person(url, gallery, fps=20.0, patience=0.3)
    assert tally.counts["left"] == 1
    assert not tally.failed


async def test_every_frame_delayed_by_a_stall_is_late(gallery: Gallery) -> None:
    """If the service stalls for a second, all frames due in it are late, not only one.

    A client that waited for the answer before the next frame would see one slow frame of thirty;
    here a third of the frames fall into the stall.
    """
    stall, fps, frames = 1.0, 20, 60

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in range(1, frames + 1):
            await socket.recv()
            if seq == 20:
                await asyncio.sleep(stall)
            await socket.send(status(seq, Code.BLURRED))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await run_person(url, gallery, fps=float(fps))
    median, high = tally.percentile(0.5), tally.percentile(0.9)
    assert median is not None
    assert high is not None
    assert high > 0.5 * stall
    assert high > 3 * median


async def test_drops_are_counted_by_reason(gallery: Gallery) -> None:
    """A dropped frame has no latency."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        await socket.send(message(Command.DROPPED, seq=1, reason="replaced"))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert dict(tally.dropped) == {"replaced": 1}
    assert tally.latency.get_total_count() == 0


@pytest.mark.parametrize("limit", [10, math.inf])
async def test_the_rate_limit_of_the_service_is_respected(gallery: Gallery, limit: float) -> None:
    """Without a limit the kiosk sends as fast as it is answered."""
    arrived: list[float] = []
    clock = asyncio.get_running_loop().time

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        async for _ in socket:
            arrived.append(clock())
            await socket.send(status(len(arrived), Code.BLURRED))
            if len(arrived) == 6:
                await socket.send(message(Command.RESULT, RESULT))

    limits = {"framesPerSecond": limit} if limit < math.inf else {}
    async with service(script, first=message(Command.CONNECTED, **GRANTED, limits=limits)) as url:
        tally = await run_person(url, gallery)
    assert tally.counts["judged"] == 6
    allowed = 5 / limit
    assert arrived[-1] - arrived[0] > 0.9 * allowed


async def test_a_result_that_is_arriving_is_awaited(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow line RESULT may take longer than SILENCE_SECONDS while its bytes arrive."""
    monkeypatch.setattr(module, "SILENCE_SECONDS", 1.5)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.1)
    text = message(Command.RESULT, {**RESULT, "jwt": "T" * 40_000}).encode()
    wire = b"\x81\x7e" + len(text).to_bytes(2, "big") + text  # one text frame (RFC 6455, 5.2)

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        for at in range(0, len(wire), 2000):
            socket.transport.write(wire[at : at + 2000])
            await asyncio.sleep(0.1)

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert tally.counts["accepted"] == 1


@pytest.mark.parametrize("fps", [0.0, 0.01])
async def test_patience_ends_between_two_frames_too(gallery: Gallery, fps: float) -> None:
    """A person leaves without waiting until the next frame is due."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        async for raw in socket:
            if isinstance(raw, str):
                await socket.send(message(Command.RESULT, {**RESULT, "isOk": False}))
                return

    async with service(script) as url:
        tally = await run_person(url, gallery, fps=fps, patience=0.2)
    assert tally.counts["left"] == 1


async def test_a_cancelled_person_is_counted(gallery: Gallery) -> None:
    """A person who is cancelled at the end of a run is counted."""
    came = asyncio.Event()

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        came.set()
        await socket.wait_closed()

    tally = CrowdTally()
    async with service(script) as url:
        kiosk = Kiosk(Plan(url, prepare=0.0), without_noise(gallery), lambda: tally, seed=1)
        visit = asyncio.create_task(kiosk.attend(0.0, lambda: True))
        await asyncio.wait_for(came.wait(), 60)
        assert kiosk.present
        visit.cancel()
        await asyncio.wait([visit])
    assert dict(tally.failed) == {"no final answer": 1}
    assert not kiosk.present
