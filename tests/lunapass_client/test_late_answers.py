"""Both Python clients after a resumption: late answers are neither lost nor confused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from lunapass_client import Answer, Client, Refused, SyncClient, Verdict
from lunapass_client.conversation import RESULT_SECONDS, FrameNumbers
from tests.support.waiting import until, wait_for

Check = Callable[..., Awaitable[Verdict]]
Script = Callable[[ServerConnection], Awaitable[None]]


def reply(command: str, body: Any = None, **headers: Any) -> str:
    return json.dumps({"command": command, "headers": headers, "body": body})


def connected(received: int) -> str:
    return reply("CONNECTED", **{"session-id": "0" * 32, "resume-token": "1" * 32, "seq": received})


def status(seq: int, *, is_ok: bool) -> str:
    return reply("STATUS", {"isOk": is_ok, "errors": [], "details": {}}, seq=seq)


RESULT = reply("RESULT", {"isOk": True, "jwt": "a.b.c", "errors": []})
UNAVAILABLE = reply("ERROR", {"code": "service.unavailable", "message": ""})


@contextlib.asynccontextmanager
async def service(*scripts: Script) -> AsyncIterator[str]:
    """Yield the address of a service whose connections each follow a script after CONNECT."""
    remaining = iter(scripts)

    async def handle(line: ServerConnection) -> None:
        script = next(remaining)
        with contextlib.suppress(ConnectionClosed):
            await line.recv()
            await script(line)

    async with serve(handle, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws"


async def broken(line: ServerConnection) -> None:
    """Take a frame, then break the connection."""
    await line.send(connected(0))
    await line.recv()
    line.transport.abort()


@pytest.fixture(params=["asynchronous", "synchronous"])
def check(request: pytest.FixtureRequest) -> Check:
    """Check with a few frames."""
    options: dict[str, Any] = {"patience": 30, "resumes": 4}

    async def with_await(url: str, frames: int, heard: list[Answer]) -> Verdict:
        async with Client(url, **options) as client:
            return await client.check([b"frame"] * frames, heard.append)

    def blocking(url: str, frames: int, heard: list[Answer]) -> Verdict:
        with SyncClient(url, **options) as client:
            return client.check([b"frame"] * frames, heard.append)

    async def in_thread(url: str, frames: int, heard: list[Answer]) -> Verdict:
        return await asyncio.to_thread(blocking, url, frames, heard)

    return with_await if request.param == "asynchronous" else in_thread


@pytest.mark.parametrize("late", [0, 2 * RESULT_SECONDS], ids=["soon", "later"])
async def test_a_late_verdict_of_a_lost_connection_is_received(check: Check, late: float) -> None:
    """The last frame is accepted after the resumption; RESULT follows its STATUS."""

    async def resumed(line: ServerConnection) -> None:
        await line.send(connected(1))
        await asyncio.sleep(late)
        await line.send(status(1, is_ok=True))
        await asyncio.sleep(0.02)
        await line.send(RESULT)

    heard: list[Answer] = []
    async with service(broken, resumed) as url:
        verdict = await check(url, 1, heard)
    assert verdict.token == "a.b.c"
    assert [answer.seq for answer in heard] == [1]


async def test_a_late_answer_is_not_that_of_the_next_frame(check: Check) -> None:
    """Its number says so; otherwise the client would be one answer behind until the end."""

    async def resumed(line: ServerConnection) -> None:
        await line.send(connected(1))
        await line.recv()
        await line.send(status(1, is_ok=False))
        await line.send(status(2, is_ok=True))
        await line.send(RESULT)

    async with service(broken, resumed) as url:
        verdict = await check(url, 2, [])
    assert verdict.accepted


@pytest.fixture(params=["asynchronous", "synchronous"])
def check_paced(request: pytest.FixtureRequest) -> Check:
    """Check with frames that the caller paces: each waits until the service has closed."""

    async def with_await(url: str, closed: threading.Event) -> Verdict:
        async def frames() -> AsyncIterator[bytes]:
            yield b"frame"
            await until(closed.is_set)
            yield b"frame"

        async with Client(url) as client:
            return await client.check(frames())

    def blocking(url: str, closed: threading.Event) -> Verdict:
        def frames() -> Iterator[bytes]:
            yield b"frame"
            wait_for(closed.is_set)
            yield b"frame"

        with SyncClient(url) as client:
            return client.check(frames())

    async def in_thread(url: str, closed: threading.Event) -> Verdict:
        return await asyncio.to_thread(blocking, url, closed)

    return with_await if request.param == "asynchronous" else in_thread


async def ended_by(check_paced: Check, *messages: str) -> Verdict:
    """Check at a service that ends its connection between two frames, after these messages."""
    closed = threading.Event()

    async def ends(line: ServerConnection) -> None:
        await line.send(connected(0))
        await line.recv()
        for message in messages:
            await line.send(message)
        await line.close()  # returns once the client has closed, too
        closed.set()

    async with service(ends) as url:
        return await check_paced(url, closed)


async def test_a_refusal_is_received_although_the_next_frame_cannot_be_sent(
    check_paced: Check,
) -> None:
    """RESULT without success came between two frames, and then the connection was closed."""
    refused = reply("RESULT", {"isOk": False, "jwt": None, "errors": [32]})
    verdict = await ended_by(check_paced, status(1, is_ok=False), refused)
    assert verdict == Verdict(accepted=False, token=None, errors=(32,))


async def test_an_error_is_received_although_the_next_frame_cannot_be_sent(
    check_paced: Check,
) -> None:
    """The service named its reason before it closed the connection."""
    error = reply("ERROR", {"code": "session.too-many-resumes", "message": ""})
    with pytest.raises(Refused, match=r"session\.too-many-resumes"):
        await ended_by(check_paced, status(1, is_ok=False), error)


async def test_a_failed_attempt_leaves_no_connection(check: Check) -> None:
    """Each attempt to resume ends its connection before the next one."""
    ended = asyncio.Event()

    async def unavailable(line: ServerConnection) -> None:
        await line.send(UNAVAILABLE)
        await line.wait_closed()
        ended.set()

    async def resumed(line: ServerConnection) -> None:
        async with asyncio.timeout(60):
            await ended.wait()
        await line.send(connected(1))
        await line.send(RESULT)

    async with service(broken, unavailable, resumed) as url:
        assert (await check(url, 1, [])).accepted


def test_open_frames_are_tracked_by_number() -> None:
    """A frame is open until its answer, or until the service says that it never arrived."""
    frames = FrameNumbers()
    frames.connected(0)
    frames.sent()
    assert frames.is_open
    frames.connected(1)
    assert frames.is_open
    frames.sent()
    frames.answered(1)
    assert frames.is_open
    frames.answered(2)
    assert not frames.is_open
    frames.sent()
    frames.connected(1)  # a restarted service has lost two
    assert not frames.is_open
    frames.sent()
    assert frames.is_open
    frames.answered(None)  # a service without frame numbers
    assert not frames.is_open
