"""Each limit of docs/limits.md that a client can reach has the documented effect."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lunapass_client import Answer, Client
from shared.wire.protocol import CloseCode, Command
from tests.support.service import Service, running
from tests.support.stamp import HANG, stamped_jpeg
from tests.support.waiting import until

COUNTS = """
[LIMITS]
sessions = 6
connections = 8
framesPerSecond = 0.1
frameBurst = 4
resumeSeconds = 0.5
logFrames = 4
"""
"""Limits of counts; a client that left is forgotten soon, so that the next test has free slots."""

TIMES = """
[LIMITS]
idleSeconds = 2.0
frameDeadline = 0.6
resumeSeconds = 0.5
"""
"""Limits of times, each reached by waiting, however busy the machine is."""


@pytest.fixture(scope="module")
def counts() -> Iterator[Service]:
    with running(COUNTS, workers=1) as started:
        yield started


@pytest.fixture(scope="module")
def times() -> Iterator[Service]:
    with running(TIMES, workers=1) as started:
        yield started


@pytest.fixture
async def idle_service(counts: Service) -> Service:
    """The service once the sessions of the previous test are forgotten."""
    await until(lambda: counts.get("/statistics").json()["sessions"]["open"] == 0)
    return counts


async def test_sessions_in_total(idle_service: Service) -> None:
    """One session too many is answered that the service is full."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(idle_service.url)) for _ in range(7)]
        await clients[-1].socket.wait_closed()
    *granted, refused = [client.connected for client in clients]
    assert all(answer and answer.command is Command.CONNECTED for answer in granted)
    assert refused is not None
    assert refused.body["code"] == "session.full"
    assert clients[-1].close_code == CloseCode.OVERLOADED


async def refused_after(service: Service, upgrades: int) -> int:
    """Return the status of the upgrade after this many open connections."""
    async with AsyncExitStack() as stack:
        for _ in range(upgrades):
            await stack.enter_async_context(connect(service.url))
        with pytest.raises(InvalidStatus) as refused:
            await connect(service.url)
    return int(refused.value.response.status_code)


async def test_connections_in_total(idle_service: Service) -> None:
    """Further upgrades are refused with 503."""
    assert await refused_after(idle_service, 8) == 503


async def test_frames_in_a_second(idle_service: Service) -> None:
    """Frames beyond rate and burst are reported as dropped before any work."""
    frames = [stamped_jpeg(1, number) for number in range(7)]
    async with Client(idle_service.url) as client:
        for frame in frames:
            await client.send_frame(frame)
        answers = [await client.receive() for _ in range(7)]
    reasons = [answer.headers.get("reason") for answer in answers]
    assert reasons.count("rate") == 3


async def refusal(client: Client) -> Answer:
    """Read up to RESULT."""
    answers = [answer async for answer in client.answers()]
    assert answers[-1].command is Command.RESULT
    return answers[-1]


async def test_length_of_a_session() -> None:
    """A session that lasts too long fails with code 40."""
    with running("[LIMITS]\nsessionSeconds = 2.0\n", workers=1) as service:
        async with Client(service.url) as client:
            beating = asyncio.create_task(beat(client))
            assert (await refusal(client)).body == {"isOk": False, "jwt": None, "errors": [40]}
            beating.cancel()


async def beat(client: Client) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.send(Command.HEARTBEAT)
            await asyncio.sleep(0.2)


async def test_judged_frames_of_a_session(idle_service: Service) -> None:
    """A session with too many judged frames fails, too."""
    async with Client(idle_service.url) as client:
        for number in range(4):
            await client.send_frame(stamped_jpeg(1, number))
            await client.receive()
        assert (await refusal(client)).body["errors"] == [40]


async def test_age_of_an_unanswered_frame(times: Service) -> None:
    """A frame that no worker can judge in time is answered at its deadline."""
    await asyncio.to_thread(times.wait_ready)
    async with Client(times.url) as client:
        await client.send_frame(stamped_jpeg(HANG, 1))
        answer = await client.receive()
    assert answer.command is Command.DROPPED
    assert answer.headers["reason"] == "deadline"


async def test_time_without_a_message(times: Service) -> None:
    """A silent connection is closed with its own code."""
    async with Client(times.url) as client:
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert client.close_code == CloseCode.IDLE


async def test_resumptions() -> None:
    """A session may be resumed only this often."""
    with running("[LIMITS]\nreconnects = 2\n", workers=1) as service:
        async with Client(service.url) as client:
            session, token = client.session_id, client.resume_token
        answers = []
        for _ in range(3):
            async with Client(service.url, session_id=session, resume_token=token) as again:
                answers.append(again.connected)
    *granted, refused = answers
    assert all(answer and answer.command is Command.CONNECTED for answer in granted)
    assert refused is not None
    assert refused.body["code"] == "session.too-many-resumes"


async def test_time_away(times: Service) -> None:
    """A client that is away for ``resumeSeconds`` has failed; later its session is forgotten."""
    async with Client(times.url) as client:
        session, token = client.session_id, client.resume_token
    while True:
        await asyncio.sleep(2)  # a request keeps the session for a while
        async with Client(times.url, session_id=session, resume_token=token) as late:
            assert late.connected is not None
            if late.connected.command is Command.ERROR:
                assert late.connected.body["code"] == "session.unknown"
                return
            assert (await refusal(late)).body["isOk"] is False


async def test_handshakes_in_a_second() -> None:
    """In a burst, requests beyond twice the limit plus the rate are answered with 429."""
    with running("[LIMITS]\nhandshakesPerSecond = 0.5\n", workers=1) as service:
        rush = await asyncio.gather(
            *(connect(service.url) for _ in range(10)), return_exceptions=True
        )
        refused = [one for one in rush if isinstance(one, InvalidStatus)]
        assert 0 < len(refused) < len(rush)
        assert {one.response.status_code for one in refused} == {429}
        for one in rush:
            if isinstance(one, ClientConnection):
                await one.close()
