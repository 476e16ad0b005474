"""A crowd of people: absence from a kiosk is no failure, and every end is counted."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from gateway.web.consent import with_consent
from gateway.web.start_token import StartTokens
from loadtest import crowd as module
from loadtest.crowd import Crowd
from loadtest.gallery import Gallery
from loadtest.plan import LoadProfile, Plan
from loadtest.tally import CrowdTally
from shared.config.loading import load
from shared.wire.protocol import Command, ProtocolError
from tests.support.clock import SettableClock
from tests.support.scripted import (
    RESULT,
    answer_disconnect,
    be_silent,
    message,
    service,
    without_noise,
)


async def accept(socket: ServerConnection, _connect: dict[str, Any]) -> None:
    """Accept the first frame."""
    await socket.recv()
    await socket.send(message(Command.RESULT, RESULT))


def printed_tally(capsys: pytest.CaptureFixture[str]) -> CrowdTally:
    whole = CrowdTally()
    for line in capsys.readouterr().out.splitlines():
        whole.add(json.loads(line))
    return whole


def ended(tally: CrowdTally) -> int:
    ends = sum(tally.counts[end] for end in ("accepted", "refused", "left"))
    return ends + tally.failed.total()


async def test_time_between_people_is_no_failure(
    gallery: Gallery, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run does not wait for the next person if no person is present at its end."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 600.0)
    async with service(accept) as url:
        plan = Plan(url, LoadProfile("soak", 3, 2.0, warm=0.1), think=600, prepare=0, fps=20)
        crowd = Crowd(plan, without_noise(gallery), 0, 1, time.monotonic())
        await asyncio.wait_for(crowd.run(), 60)
    tally = printed_tally(capsys)
    assert tally.counts["accepted"] == tally.counts["begun"] == 3
    assert not tally.failed
    assert tally.kiosks == 0


@pytest.mark.parametrize("arrivals", [False, True])
async def test_a_session_without_final_answer_fails(
    gallery: Gallery,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arrivals: bool,
) -> None:
    """Every person who arrived is counted once at the end."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.3)
    async with service(be_silent) as url:
        plan = Plan(url, LoadProfile("soak", 10, 0.6, warm=0.0), arrivals=arrivals, prepare=0)
        await Crowd(plan, without_noise(gallery), 0, 1, time.monotonic()).run()
    tally = printed_tally(capsys)
    assert tally.counts["begun"] == ended(tally) > 0
    assert set(tally.failed) == {"no final answer"}


@pytest.mark.parametrize("arrivals", [False, True])
async def test_a_stopped_crowd_disconnects(
    gallery: Gallery, capsys: pytest.CaptureFixture[str], arrivals: bool
) -> None:
    """SIGTERM ends the run early, without a failure."""
    arrived = asyncio.Event()

    async def greet(socket: ServerConnection, connect: dict[str, Any]) -> None:
        arrived.set()
        await answer_disconnect(socket, connect)

    async with service(greet) as url:
        plan = Plan(url, LoadProfile("soak", 5, 3600, warm=0.0), arrivals=arrivals, prepare=0)
        crowd = Crowd(plan, without_noise(gallery), 0, 1, time.monotonic())
        running = asyncio.create_task(crowd.run())
        await asyncio.wait_for(arrived.wait(), 60)
        crowd.stop()
        await asyncio.wait_for(running, 60)
    tally = printed_tally(capsys)
    assert tally.counts["begun"] == tally.counts["left"] > 0
    assert not tally.failed


async def test_a_crowd_ends_with_its_parent(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client process exits when its parent process has died."""

    def broken(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", broken)
    async with service(accept) as url:
        plan = Plan(url, LoadProfile("soak", 2, 3600), prepare=0)
        crowd = Crowd(plan, without_noise(gallery), 0, 1, time.monotonic())
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(crowd.run(), 60)


async def test_each_session_starts_with_its_own_start_token_and_consent(
    gallery: Gallery, tmp_path: Path
) -> None:
    """The service accepts each token once, even if another session needs it."""
    config = tmp_path / "config.toml"
    config.write_text(f'[MIDDLEWARES.REQUEST.StartToken]\nisEnabled = 1\nargs.key = "{"s" * 32}"\n')
    clock = SettableClock(time.time() - 60)
    starts = StartTokens(load(config), clock=clock)
    clock.advance(60)
    codes: list[str] = []

    async def script(socket: ServerConnection, connect: dict[str, Any]) -> None:
        try:
            with_consent("2026-11", "{}", connect.get("consent"))
            await starts.use(await starts.verify(connect.get("start-token")))
            codes.append("granted")
        except ProtocolError as refused:
            codes.append(refused.code)
        await accept(socket, connect)
        if len(codes) > 3:
            crowd.stop()

    async with service(script) as url:
        plan = Plan(
            url,
            LoadProfile("soak", 2, 3600, warm=0.1),
            think=0.2,
            prepare=0,
            start_token=str(config),
            consent="2026-11",
        )
        crowd = Crowd(plan, without_noise(gallery), 0, 1, time.monotonic())
        await asyncio.wait_for(crowd.run(), 60)
    assert set(codes) == {"granted"}
