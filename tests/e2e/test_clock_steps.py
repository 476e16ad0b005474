"""The wall clock of real processes is set in the middle of a session: the verdict is the same."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest

from lunapass_client import Answer, Client
from shared.codes import PROMPTS, Code
from shared.wire.protocol import Command
from tests.support.machine_clock import WallClock, other_boot, wall_clock
from tests.support.redis_server import running_redis
from tests.support.service import Service, running
from tests.support.stamp import DOWN, EYES_SHUT, LEFT, RIGHT, STRAIGHT, UP, stamped_jpeg

SETTINGS = """
[MIDDLEWARES.WS.ActiveLiveness]
isEnabled = 1
args.interactionsCount = 3
args.actionTimeout = 60.0
args.totalTimeout = 240.0
[MIDDLEWARES.WS.VirtualCameraChecker]
isEnabled = 1
"""
BACKEND = 'backend = "tests.support.stamp:PosingStampBackend"'
CAMERA = {"camera": {"label": "FaceTime HD", "frameRate": 10}}
FRAME_SECONDS = 0.1
STEPS = [80, -3600, 86_400]
"""All are longer than the timeout of an action, which is long enough for a busy machine."""
SHOWS: dict[int | None, int] = {
    Code.CLOSE_EYES: EYES_SHUT,
    Code.ASK_TURN_LEFT: LEFT,
    Code.ASK_TURN_RIGHT: RIGHT,
    Code.ASK_CHIN_UP: UP,
    Code.ASK_CHIN_DOWN: DOWN,
}


@dataclass
class Person:
    """Obeys prompts or sits still, at ten frames a second.

    Attributes:
        prompts: prompts in order.
        shown: frames so far; each has the face in another place, as from a camera.
        pause: frames until the reaction, alternately two and three, because a person's reaction is
            never faster or always equal.
    """

    obeys: bool = True
    prompts: list[int] = field(default_factory=list)
    shown: int = 0
    pause: int = 0

    @property
    def actions(self) -> int:
        """Actions prompted so far."""
        return len([code for code in self.prompts if code in SHOWS])

    async def act(self, client: Client, actions: int = 99) -> Answer | None:
        """Show frames until this many actions were prompted; return RESULT if it comes first."""
        while self.actions < actions:
            began = time.monotonic()
            prompt = self.prompts[-1] if self.prompts and self.obeys and not self.pause else None
            self.shown, self.pause = self.shown + 1, max(0, self.pause - 1)
            await client.send_frame(stamped_jpeg(self.shown % 300, SHOWS.get(prompt, STRAIGHT)))
            status = await client.receive()
            assert status.command is Command.STATUS
            codes = set(status.body["errors"])
            for code in codes & PROMPTS:
                if self.prompts[-1:] != [code]:
                    self.prompts.append(code)
                    self.pause = 1 + self.actions % 2 if code in SHOWS else 0
            if not codes or codes - PROMPTS - {Code.AGGREGATING}:
                return await client.receive()
            await asyncio.sleep(max(0.0, began + FRAME_SECONDS - time.monotonic()))
        return None


def claims_of(result: Answer | None) -> dict[str, Any]:
    """Return the token's claims of an accepted person, without the times."""
    assert result is not None
    assert result.command is Command.RESULT
    assert result.body["errors"] == []
    claims: dict[str, Any] = jwt.decode(result.body["jwt"], options={"verify_signature": False})
    return claims


@pytest.fixture(scope="module")
def clock() -> Iterator[WallClock]:
    with wall_clock() as made:
        yield made


@pytest.fixture(scope="module")
def service(clock: WallClock) -> Iterator[Service]:
    with running(SETTINGS, workers=1, worker_settings=BACKEND, wrapper=clock.wrapper) as started:
        yield started


@pytest.fixture(autouse=True)
def _right(clock: WallClock) -> None:
    clock.set_ahead(0)


@pytest.mark.parametrize("step", STEPS)
async def test_a_person_passes_despite_clock_steps(
    service: Service, clock: WallClock, step: int
) -> None:
    """All actions pass, VirtualCameraChecker has no evidence, and ``iat`` is the new time."""
    person = Person()
    async with Client(service.url, client=CAMERA) as client:
        assert await person.act(client, actions=2) is None
        clock.set_ahead(step)
        claims = claims_of(await person.act(client))
    assert person.actions == 3
    assert claims["details"]["virtualCamera"]["evidence"] == {}
    assert abs(claims["iat"] - (time.time() + step)) < 15


@pytest.mark.parametrize("step", STEPS)
async def test_a_person_passes_at_the_next_gateway(
    service: Service, clock: WallClock, step: int
) -> None:
    """The gateway that starts after the step gets the session's age from the aggregator."""
    person = Person()
    async with Client(service.url, client=CAMERA) as client:
        assert await person.act(client, actions=2) is None
        token = {"session_id": client.session_id, "resume_token": client.resume_token}
        clock.set_ahead(step)
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url, **token) as client:
        claims_of(await person.act(client))
    assert person.actions == 3


HASTY = (
    SETTINGS.replace("60.0", "3.0")
    + """
[LIMITS]
sessionSeconds = 20.0
resumeSeconds = 2.0
"""
)


async def test_every_timeout_fires(clock: WallClock) -> None:
    """After a step back the timeout of an action and the limit on a client's absence still hold."""
    with running(HASTY, workers=1, worker_settings=BACKEND, wrapper=clock.wrapper) as service:
        still = Person(obeys=False)
        async with Client(service.url, client=CAMERA) as client:
            assert await still.act(client, actions=1) is None
            clock.set_ahead(-3600)
            async with asyncio.timeout(60):
                result = await still.act(client)
        assert result is not None
        assert result.body["errors"] == [Code.ACTION_FAILED]
        async with Client(service.url, client=CAMERA):
            pass
        async with asyncio.timeout(60):
            while service.get("/statistics").json()["sessions"]["undecided"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def store_clock() -> Iterator[WallClock]:
    """The clock of Redis, by which machines measure the age of a session that moves."""
    with wall_clock() as made:
        yield made


@pytest.fixture(scope="module")
def machines(clock: WallClock, store_clock: WallClock) -> Iterator[list[Service]]:
    """Two machines with one store; the second one was booted earlier and is an hour slow."""
    with (
        running_redis(wrapper=store_clock.wrapper) as redis,
        wall_clock() as slow,
        other_boot(1_000_000) as ahead,
        contextlib.ExitStack() as stack,
    ):
        slow.set_ahead(-3600)
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        wrappers = [clock.wrapper, (*ahead, *slow.wrapper)]
        yield [
            stack.enter_context(
                running(
                    f"firstCell = {number}\n{store}{SETTINGS}",
                    workers=1,
                    worker_settings=BACKEND,
                    wrapper=wrapper,
                )
            )
            for number, wrapper in enumerate(wrappers)
        ]


async def test_a_person_passes_across_machines(machines: list[Service]) -> None:
    """Neither their wall clocks nor their monotonic clocks agree."""
    person = Person()
    async with Client(machines[0].url, client=CAMERA) as client:
        assert await person.act(client, actions=2) is None
        token = {"session_id": client.session_id, "resume_token": client.resume_token}
    async with Client(machines[1].url, **token) as client:
        claims_of(await person.act(client))
    assert person.actions == 3


async def test_time_counts_between_machines(
    machines: list[Service], store_clock: WallClock
) -> None:
    """A client that is away for longer than ``actionTimeout`` has failed the action."""
    person = Person()
    async with Client(machines[0].url, client=CAMERA) as client:
        assert await person.act(client, actions=1) is None
        token = {"session_id": client.session_id, "resume_token": client.resume_token}
    async with Client(machines[0].url, client=CAMERA) as other:
        # Its status comes only after the first session's last write, which would undo the step.
        assert await Person().act(other, actions=1) is None
    with paused(machines[0]):
        store_clock.set_ahead(61)
        async with Client(machines[1].url, **token) as client:
            result = await person.act(client)
    assert result is not None
    assert result.body["errors"] == [Code.ACTION_FAILED]


@contextlib.contextmanager
def paused(service: Service) -> Iterator[None]:
    """Suspend a gateway and its supervisor.

    After a slow answer of the store the gateway writes all sessions again, which would undo a step.
    """
    pids = [service.process.pid, *service.pids("gateway")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
