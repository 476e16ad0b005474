"""Failures of a scripted service: each is counted with its reason, and none ends the kiosk."""

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
from loadtest.tally import LOST, UNJUDGED, CrowdTally
from shared.codes import Code
from shared.wire.protocol import Command
from tests.support.scripted import (
    GRANTED,
    RESULT,
    be_silent,
    message,
    run_person,
    service,
    status,
    without_noise,
)


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
        tally = await run_person(url, gallery)
    assert dict(tally.failed) == {reason: 1}
    assert not any(tally.counts[end] for end in ("accepted", "refused", "left"))


async def test_a_refused_upgrade_fails_with_its_status(gallery: Gallery) -> None:
    """HTTP 503 before the upgrade."""

    async def never(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        raise AssertionError

    def refuse(connection: ServerConnection, _request: Any) -> Any:
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full\n")

    async with service(never, process_request=refuse) as url:
        tally = await run_person(url, gallery)
    assert dict(tally.failed) == {"HTTP 503": 1}


async def test_a_missing_service_is_a_failure(gallery: Gallery) -> None:
    """No service listens at the port."""
    tally = await run_person("ws://127.0.0.1:9/ws", gallery)
    assert dict(tally.failed) == {"ConnectionRefusedError": 1}


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
async def test_protocol_violations_fail_the_session(
    gallery: Gallery, first: str, answer: str
) -> None:
    """Any unexpected answer of a host is counted as a failure; every session is counted."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        await socket.recv()
        await socket.send(answer)
        await socket.wait_closed()

    async with service(script, first=first) as url:
        tally = await run_person(url, gallery)
    assert dict(tally.failed) == {"unreadable answer": 1}
    assert tally.counts["begun"] == 1
    assert tally.counts["sent"] == tally.counts["judged"] + tally.dropped.total()


async def test_frames_of_a_connection_broken_by_the_service_are_lost(gallery: Gallery) -> None:
    """They count as later than all others.

    Otherwise a service that breaks connections looks fast.
    """

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
        tally = await run_person(url, gallery, fps=50.0)
    assert tally.counts["accepted"] == 1
    assert tally.dropped[LOST] >= 3
    assert tally.percentile(0.95) == math.inf
    assert tally.counts["sent"] == tally.counts["judged"] + tally.dropped.total()


async def test_code_2_counts_as_not_judged(gallery: Gallery) -> None:
    """A fast code 2 must not make a service without workers look good."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in (1, 2, 3):
            await socket.recv()
            await socket.send(status(seq, Code.ESTIMATION_FAILED))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert tally.dropped[UNJUDGED] == 3
    assert tally.counts["judged"] == 0
    assert tally.percentile(0.5) == math.inf


@pytest.mark.parametrize("fps", [0.0, 20.0, 0.01])
async def test_a_silent_service_is_a_failure(
    gallery: Gallery, fps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session fails even if each frame waits for the previous answer."""
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.3)
    async with service(be_silent) as url:
        tally = await run_person(url, gallery, fps=fps)
    assert dict(tally.failed) == {"no answer": 1}
    assert tally.dropped[LOST] == tally.counts["sent"] > 0


async def test_the_number_of_reasons_is_limited(gallery: Gallery) -> None:
    """A host cannot add names to the tally."""

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in range(1, 21):
            await socket.recv()
            await socket.send(message(Command.DROPPED, seq=seq, reason=f"[/b]{seq}"))
        await socket.send(message(Command.RESULT, RESULT))

    async with service(script) as url:
        tally = await run_person(url, gallery)
    assert dict(tally.dropped) == {"other": 20}


async def test_a_kiosk_pauses_after_a_failure(gallery: Gallery) -> None:
    """It does so even without think time; otherwise an unreachable host would be flooded."""
    tally, ended = CrowdTally(), asyncio.get_running_loop().time() + 0.5
    kiosk = Kiosk(
        Plan("ws://127.0.0.1:9/ws", think=0.0), without_noise(gallery), lambda: tally, seed=1
    )
    await kiosk.stay(lambda: asyncio.get_running_loop().time() < ended)
    assert tally.failed.total() == 1
