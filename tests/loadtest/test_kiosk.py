"""A kiosk against a scripted service: it obeys, resumes, and no failure escapes the tally."""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from loadtest import kiosk as module
from loadtest.gallery import Gallery
from loadtest.kiosk import Kiosk
from loadtest.plan import Plan
from loadtest.tally import CUT, LOST, UNJUDGED, CrowdTally
from shared.codes import Code
from shared.wire.protocol import Command
from tests.support.scripted import (
    GRANTED,
    RESULT,
    be_silent,
    message,
    say_farewell,
    service,
    status,
    without_noise,
)


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return Gallery.render(lambda look: repr(look).encode())


async def attend(url: str, gallery: Gallery, **how: Any) -> CrowdTally:
    """Let one person try."""
    tally = CrowdTally()
    plan = Plan(url, **{"fps": 0.0, "prepare": 0.0, **how})
    kiosk = Kiosk(plan, without_noise(gallery), lambda: tally, seed=1)
    await asyncio.wait_for(kiosk.attend(asyncio.get_running_loop().time(), lambda: True), 20)
    return tally


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
        tally = await attend(url, gallery)
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
        tally = await attend(url, gallery)
    assert "session-id" not in connects[0]
    assert (connects[1]["session-id"], connects[1]["resume-token"]) == ("s", "t")
    assert (tally.counts["resumed"], tally.counts["accepted"]) == (1, 1)
    assert not tally.failed


async def test_a_person_whose_connection_breaks_on_purpose_comes_back(gallery: Gallery) -> None:
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
        tally = await attend(url, gallery, breaks=1.0)
    assert tally.counts["resumed"] == 1
    assert 1 <= len(frames) <= 8
    assert tally.counts["accepted"] == 1
    assert set(+tally.dropped) <= {CUT, "ended"}  # nothing that the service would be blamed for


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(Command.ERROR, {"code": "session.full", "message": ""}), "session.full"),
        (None, "closed 1013"),
    ],
)
async def test_a_refusal_fails_with_its_reason(
    gallery: Gallery, sent: str | None, reason: str
) -> None:
    """Each person is counted once, failures by reason."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        if sent:
            await socket.send(sent)
        await socket.close(1013)

    async with service(script) as url:
        tally = await attend(url, gallery)
    assert dict(tally.failed) == {reason: 1}
    assert not any(tally.counts[end] for end in ("accepted", "refused", "left"))


async def test_a_refused_upgrade_fails_with_its_status(gallery: Gallery) -> None:
    """HTTP 503 before the upgrade."""

    async def never(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        raise AssertionError

    def refuse(connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full\n")

    async with service(never, process_request=refuse) as url:
        tally = await attend(url, gallery)
    assert dict(tally.failed) == {"HTTP 503": 1}


async def test_a_missing_service_is_a_failure(gallery: Gallery) -> None:
    """A service that is not running is a failure."""
    tally = await attend("ws://127.0.0.1:9/ws", gallery)
    assert dict(tally.failed) == {"ConnectionRefusedError": 1}


async def test_an_impatient_person_says_good_bye(gallery: Gallery) -> None:
    """A person who leaves is not a failure; the final answer is awaited."""
    async with service(say_farewell) as url:
        tally = await attend(url, gallery, fps=20.0, patience=0.3)
    assert tally.counts["left"] == 1
    assert not tally.failed


async def test_a_stalled_service_is_charged_for_every_frame_it_held_up(gallery: Gallery) -> None:
    """If the service stalls for a second, all frames due in it are late, not only one.

    A client that waited for the answer before the next frame would see one slow frame of thirty;
    here a third of the frames lie within the stall.
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
        tally = await attend(url, gallery, fps=float(fps))
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
        tally = await attend(url, gallery)
    assert dict(tally.dropped) == {"replaced": 1}
    assert tally.latency.get_total_count() == 0


@pytest.mark.parametrize("limit", [10, math.inf])
async def test_as_fast_as_answered_is_no_faster_than_allowed(
    gallery: Gallery, limit: float
) -> None:
    """No frame is sent faster than the service's limit; without a limit there is no pause."""
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
        tally = await attend(url, gallery)
    assert tally.counts["judged"] == 6
    allowed = 5 / limit
    assert arrived[-1] - arrived[0] > 0.9 * allowed


CONNECTED = message(Command.CONNECTED, **GRANTED)


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ("hello", ""),
        ("[]", ""),
        (message(Command.CONNECTED), ""),
        (message(Command.CONNECTED, session_id="s", resume_token="t", seq="many"), ""),
        (message(Command.CONNECTED, **GRANTED, limits=[]), ""),
        (message(Command.CONNECTED, **GRANTED, limits={"framesPerSecond": 0}), ""),
        (message(Command.ERROR), ""),
        (message(Command.ERROR, {"code": "[/red]<b>", "message": ""}), ""),
        (CONNECTED, "hello"),
        (CONNECTED, message(Command.STATUS, seq=1)),
        (CONNECTED, message(Command.STATUS, {"errors": ["3 "], "isOk": False})),
        (CONNECTED, message(Command.STATUS, {"errors": ["x"], "isOk": False}, seq=1)),
        (CONNECTED, message(Command.DROPPED, seq=1)),
        (CONNECTED, message(Command.RESULT)),
        (CONNECTED, message(Command.ERROR, [])),
    ],
)
async def test_what_is_not_the_protocol_fails_the_session(
    gallery: Gallery, first: str, answer: str
) -> None:
    """Any other answer of a host is counted as a failure; every session is counted."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        await socket.send(answer)
        await socket.wait_closed()

    async with service(script, first=first) as url:
        tally = await attend(url, gallery)
    assert dict(tally.failed) == {"unreadable answer": 1}
    assert tally.counts["begun"] == 1
    assert tally.counts["sent"] == tally.counts["judged"] + tally.dropped.total()


async def test_frames_of_a_line_that_the_service_breaks_are_lost(gallery: Gallery) -> None:
    """They count as later than all others; else a service that breaks connections looks fast."""

    async def script(socket: ServerConnection, connect: dict[str, Any]) -> None:
        await socket.recv()
        await socket.send(status(1, Code.BLURRED))
        if "session-id" in connect:
            await socket.send(message(Command.RESULT, RESULT))
            return
        for _ in range(3):
            await socket.recv()
        socket.transport.abort()

    async with service(script) as url:
        tally = await attend(url, gallery, fps=50.0)
    assert tally.counts["accepted"] == 1
    assert tally.dropped[LOST] >= 3
    assert tally.percentile(0.95) == math.inf
    assert tally.counts["sent"] == tally.counts["judged"] + tally.dropped.total()


async def test_a_frame_that_no_worker_judged_is_not_judged(gallery: Gallery) -> None:
    """A fast code 2 must not make a service without workers look good."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in (1, 2, 3):
            await socket.recv()
            await socket.send(status(seq, Code.ESTIMATION_FAILED))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await attend(url, gallery)
    assert tally.dropped[UNJUDGED] == 3
    assert tally.counts["judged"] == 0
    assert tally.percentile(0.5) == math.inf


@pytest.mark.parametrize("fps", [0.0, 20.0, 0.01])
async def test_a_service_that_is_silent_fails(
    gallery: Gallery, fps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session fails, also if each frame waits for the previous answer."""
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.3)
    async with service(be_silent) as url:
        tally = await attend(url, gallery, fps=fps)
    assert dict(tally.failed) == {"no answer": 1}
    assert tally.dropped[LOST] == tally.counts["sent"] > 0


async def test_a_result_that_is_arriving_is_awaited(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow line RESULT may take longer than SILENCE_SECONDS while its bytes arrive."""
    monkeypatch.setattr(module, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(module, "TICK_SECONDS", 0.1)
    text = message(Command.RESULT, {**RESULT, "jwt": "T" * 40_000}).encode()
    wire = b"\x81\x7e" + len(text).to_bytes(2, "big") + text  # one text frame (RFC 6455, 5.2)

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        for at in range(0, len(wire), 2000):
            socket.transport.write(wire[at : at + 2000])
            await asyncio.sleep(0.1)

    async with service(script) as url:
        tally = await attend(url, gallery)
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
        tally = await attend(url, gallery, fps=fps, patience=0.2)
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
        await asyncio.wait_for(came.wait(), 10)
        assert kiosk.present
        visit.cancel()
        await asyncio.wait([visit])
    assert dict(tally.failed) == {"no final answer": 1}
    assert not kiosk.present


async def test_reasons_of_the_host_are_bounded(gallery: Gallery) -> None:
    """A host cannot add names to the tally."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in range(1, 21):
            await socket.recv()
            await socket.send(message(Command.DROPPED, seq=seq, reason=f"[/b]{seq}"))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await attend(url, gallery)
    assert dict(tally.dropped) == {"other": 20}


async def test_a_kiosk_rests_after_a_failure(gallery: Gallery) -> None:
    """Also without think time; else an unreachable host is flooded."""
    tally, ended = CrowdTally(), asyncio.get_running_loop().time() + 0.5
    kiosk = Kiosk(
        Plan("ws://127.0.0.1:9/ws", think=0.0), without_noise(gallery), lambda: tally, seed=1
    )
    await kiosk.stay(lambda: asyncio.get_running_loop().time() < ended)
    assert tally.failed.total() == 1
