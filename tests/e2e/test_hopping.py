"""Switching between gateways gains a client nothing: answers that it got stay valid."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from lunapass_client import Answer, Client
from shared.session_log import read_session
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.cell_pair import Hopper, Pair, answer_of, pair
from tests.support.redis_server import hanging
from tests.support.stamp import OTHER_FACE, WRONG_ACTION, stamped_jpeg
from tests.support.waiting import until

LIVE = 20
"""Stamped frames from this number on are live."""


def live(number: int, **size: int) -> bytes:
    return stamped_jpeg(1, LIVE + number, **size)


@dataclass
class Refusal:
    """A way to be refused with a final verdict.

    Attributes:
        code: code in RESULT.
        settings: settings of the service.
        frames: frames that lead to it.
        after: frames that would be accepted if the last frame had not counted.
    """

    code: int
    settings: str
    frames: list[bytes]
    after: list[bytes]


REFUSALS: dict[str, Callable[[], Refusal]] = {
    "low liveness": lambda: Refusal(
        32,
        "[LIVENESS]\nmaxAttempts = 3\n",
        [stamped_jpeg(1, number) for number in range(3)],
        [live(0)],
    ),
    "wrong action": lambda: Refusal(
        60,
        "[MIDDLEWARES.WS.ActiveLiveness]\nisEnabled = 1\nargs.wrongActionsAllowed = 0\n",
        [live(0), live(1), live(2 + WRONG_ACTION)],
        [live(3)],
    ),
    "another person": lambda: Refusal(
        69,
        "[MIDDLEWARES.WS.FaceMatcher]\nisEnabled = 1\n"
        "[MIDDLEWARES.WS.AggregateLiveness]\nisEnabled = 1\n",
        [live(0), live(1 + OTHER_FACE)],
        [live(number) for number in range(2, 5)],
    ),
    "virtual camera": lambda: Refusal(
        70,
        "[MIDDLEWARES.WS.VirtualCameraChecker]\nisEnabled = 1\n",
        [stamped_jpeg(1, number, width=640 + number % 2 * 160) for number in range(4)],
        [live(1, width=800)],
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Pair]:
    with pair() as started:
        yield started


@pytest.fixture
async def services(shared: Pair) -> AsyncIterator[Pair]:
    """The pair with its first configuration, whatever the previous test has changed."""
    async with contextlib.AsyncExitStack() as stack:
        for service in shared.services:
            await stack.enter_async_context(service.lent())
        yield shared


def connect_message(client: Client) -> str:
    headers = {"session-id": client.session_id, "resume-token": client.resume_token}
    return Codec.encode(Command.CONNECT, headers)


async def answers_to(socket: ClientConnection, frames: list[bytes]) -> list[Answer]:
    """Send frames one after another; return all answers until the service closes or is quiet."""
    heard = []
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        for frame in frames:
            with contextlib.suppress(ConnectionClosed):  # answers before the close are still read
                await socket.send(frame)
            heard.append(await answer_of(socket))
        heard.append(await answer_of(socket, 2))
    return heard


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_final_refusal_holds_at_the_other_gateway(services: Pair, name: str) -> None:
    """The client resumes elsewhere at the moment when it learns of its refusal.

    There it gets exactly the same RESULT, and no further frame is judged.
    """
    await services.reload(REFUSALS[name]().settings)
    for _ in range(4):
        refusal = REFUSALS[name]()  # new frames, never sent before
        async with Client(services.services[0].url) as client, services.door(1) as other:
            hop = connect_message(client)
            for frame in refusal.frames:
                await client.send_frame(frame)  # earlier answers are stored
                assert (await client.receive()).command is Command.STATUS
            first = await client.receive()
            await other.send(hop)
            assert first.command is Command.RESULT
            assert refusal.code in first.body["errors"]
            connected = await answer_of(other)
            assert connected.command is Command.CONNECTED
            answers = await answers_to(other, refusal.after)
            assert [answer.command for answer in answers] == [Command.RESULT]
            assert answers[0].body == first.body


async def test_no_switch_undoes_a_judged_frame(services: Pair) -> None:
    """However a client switches, it gets answers to no more frames than it has attempts.

    The previous connection stays open each time, so both gateways believe that they have the
    client.
    """
    attempts = 5
    await services.reload(f"[LIVENESS]\nmaxAttempts = {attempts}\n")
    for seed in range(6):
        chance = random.Random(seed)
        async with Hopper(services) as client:
            await client.go_to(0)
            await client.show(0)
            await until(lambda: client.of(Command.STATUS))
            for hop in range(1, 9):
                for number in range(chance.randint(1, 2)):
                    await client.show(number)
                    await asyncio.sleep(chance.uniform(0, 0.05))
                await client.go_to(hop % 2)
            for number in range(attempts):
                await client.show(number)
                await asyncio.sleep(0.1)
            await client.show_until_result(0.1)
        assert len(client.of(Command.STATUS)) <= attempts
        results = [answer.body for answer in client.of(Command.RESULT)]
        assert results
        assert all(body == results[0] for body in results)
        assert results[0]["errors"] == [32]


async def test_a_refusal_without_the_store_holds_after_the_outage(services: Pair) -> None:
    """The other gateway waits until the refusal is stored.

    The client goes there at the moment when the store is back.
    """
    refusal = REFUSALS["low liveness"]()
    await services.reload(refusal.settings)
    async with Client(services.services[0].url) as client, services.door(1) as other:
        hop = connect_message(client)
        await client.send_frame(refusal.frames[0])
        await client.receive()  # then the frame is stored
        services.store.kill()
        for frame in refusal.frames[1:]:
            await client.send_frame(frame)
            assert (await client.receive()).command is Command.STATUS
        first = await client.receive()
        services.store.start()
        await other.send(hop)
        assert first.body["errors"] == [32]
        assert (await answer_of(other)).command is Command.CONNECTED
        answers = await answers_to(other, refusal.after)
        assert [answer.body for answer in answers] == [first.body]


async def test_a_required_store_delays_every_answer() -> None:
    """The connection stays alive; answers come once they are stored, or the session ends."""
    refusal = REFUSALS["low liveness"]()
    with pair(refusal.settings, "resumeSeconds = 4.0\n", required=1) as services:
        url = services.services[0].url
        for is_back in (True, False):
            async with Client(url) as client:
                for frame in refusal.frames[:-1]:
                    await client.send_frame(frame)
                    await client.receive()
                with hanging(services.store):
                    await client.send_frame(refusal.frames[-1])
                    for _ in range(2):
                        await asyncio.sleep(0.6)  # twice, longer than the store's timeout
                        await client.send(Command.HEARTBEAT)
                        assert (await client.receive()).command is Command.HEARTBEAT
                    if not is_back:
                        error = await client.receive()
                        assert error.body["code"] == "service.unavailable"
                        assert [answer async for answer in client.answers()] == []
                        assert client.close_code == CloseCode.RESTART
                        continue
                last = [answer.command async for answer in client.answers()]
                assert last == [Command.STATUS, Command.RESULT]


def written_ends(folder: Path) -> list[tuple[str, bool]]:
    """Return the sessions whose end either service has written, and whether they were accepted."""
    logs = [read_session(file.parent) for file in folder.glob("**/session.jsonl")]
    return [(log.folder.name, log.verdict.accepted) for log in logs if log.verdict is not None]


@pytest.mark.parametrize("role", ["gateway", "aggregator"])
async def test_a_death_around_the_verdict_changes_nothing(role: str, tmp_path: Path) -> None:
    """Wherever it strikes between the frame and RESULT, the client gets one verdict.

    It is the verdict for the frames that were judged, and the one in the files.
    """
    settings = (
        "[LIVENESS]\nmaxAttempts = 2\n"
        f'[MIDDLEWARES.WS.FileLogger]\nisEnabled = 1\nargs.path = "{tmp_path}/DIRECTORY"\n'
        "[SUPERVISOR]\ncrashLimit = 1000\nrespawnDelay = 0.05\nrespawnDelayMax = 0.05\n"
    )
    sessions = []
    with pair(settings) as services:
        for seed in range(8):
            chance = random.Random(seed)
            service = services.services[0]
            async with Hopper(services) as client:
                await client.go_to(0)
                await client.show(0)
                await until(lambda: client.of(Command.STATUS))
                await client.show(0)
                await asyncio.sleep(chance.uniform(0, 0.04))
                os.kill(service.pids(role)[0], signal.SIGKILL)
                await asyncio.sleep(chance.choice((0.0, 0.02, 1.0)))
                await client.go_to(1)
                await client.show(0)
                await asyncio.sleep(0.5)
                await client.show_until_result(0.5)
                await asyncio.to_thread(service.wait_ready)
            results = [answer.body for answer in client.of(Command.RESULT)]
            assert results
            assert all(body == results[0] for body in results)
            assert results[0]["errors"] == [32]
            sessions.append(client.identity)
    ends = written_ends(tmp_path)
    assert {accepted for _, accepted in ends} == {False}
    named = [session for session, _ in ends]
    assert sorted(named) == sorted(set(named))
    assert set(named) <= set(sessions)
