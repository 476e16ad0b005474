"""One address cannot try pictures in session after session; the service asks it to pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from lunapass_client import Answer
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.redis_server import running_redis
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

LIMIT = 3
LIVE = 20
"""Number from which on a stamped frame is live."""
SETTINGS = f"""
[LIMITS]
refusedSessionsPerAddress = {LIMIT}
resumeSeconds = 1.0
[LIVENESS]
maxAttempts = 2
"""
DEFAULTS = """
[LIMITS]
# refusedSessionsPerAddress is as it is by default
[LIVENESS]
maxAttempts = 1
"""
DEFAULT_LIMIT = 20


@contextlib.contextmanager
def behind_a_proxy(settings: str) -> Iterator[Service]:
    """A service that believes a proxy on this machine, which each test plays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        with running(settings, workers=1) as started:
            yield started


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Each test has addresses of its own."""
    with behind_a_proxy(SETTINGS) as started:
        yield started


@contextlib.asynccontextmanager
async def door(service: Service, address: str) -> AsyncIterator[ClientConnection]:
    """A connection of a client at an address, which has said CONNECT."""
    headers = {"X-Forwarded-For": address}
    async with connect(service.url, additional_headers=headers) as socket:
        await socket.send(Codec.encode(Command.CONNECT, {}))
        yield socket


async def heard(socket: ClientConnection) -> Answer:
    return Answer.parse(await asyncio.wait_for(socket.recv(), 30))


async def attempt(service: Service, address: str, *numbers: int) -> Answer:
    """Send frames until the verdict: the last answer, which is an ERROR where none is begun."""
    async with door(service, address) as socket:
        answer = await heard(socket)
        with contextlib.suppress(ConnectionClosed):
            for number in numbers:
                await socket.send(stamped_jpeg(1, number))
            while True:
                answer = await heard(socket)
    return answer


async def refused(service: Service, address: str, times: int) -> None:
    for _ in range(times):
        assert (await attempt(service, address, 0, 1)).body["errors"] == [32]


async def is_begun(service: Service, address: str) -> bool:
    """Whether a client at an address may begin a session; it leaves at once."""
    async with door(service, address) as socket:
        return (await heard(socket)).command is Command.CONNECTED


async def test_by_default_twenty_refused_sessions_are_enough() -> None:
    """The next one learns when to come again; another address is served."""
    with behind_a_proxy(DEFAULTS) as service:
        results = [await attempt(service, "192.0.2.1", 0) for _ in range(DEFAULT_LIMIT)]
        assert [result.body["errors"] for result in results] == [[32]] * DEFAULT_LIMIT
        assert (await attempt(service, "192.0.2.1", LIVE)).command is Command.ERROR
        assert (await attempt(service, "192.0.2.2", LIVE)).body["isOk"]


async def test_at_the_bound_the_client_learns_how_long_to_wait(service: Service) -> None:
    """ERROR with a code of its own, the seconds in a header, close 1013."""
    await refused(service, "192.0.2.10", LIMIT)
    async with door(service, "192.0.2.10") as socket:
        error = await heard(socket)
        assert error.command is Command.ERROR
        assert error.body["code"] == "session.too-many-refusals"
        assert 0 < error.headers["retry-after"] <= 60
        with pytest.raises(ConnectionClosed):
            await heard(socket)
        assert socket.close_code == CloseCode.OVERLOADED


async def test_success_erases_nothing(service: Service) -> None:
    """Accepted sessions in between change neither the count nor the bound."""
    for _ in range(LIMIT):
        await refused(service, "192.0.2.20", 1)
        if await is_begun(service, "192.0.2.20"):
            assert (await attempt(service, "192.0.2.20", 0, LIVE)).body["isOk"]
    assert not await is_begun(service, "192.0.2.20")


async def test_leaving_before_the_verdict_is_no_way_round(service: Service) -> None:
    """After a frame with low liveness: by DISCONNECT, or without a word. Before, it is free."""
    address = "192.0.2.30"
    for _ in range(2 * LIMIT):
        assert await is_begun(service, address)
    for number in range(LIMIT):
        async with door(service, address) as socket:
            assert (await heard(socket)).command is Command.CONNECTED
            await socket.send(stamped_jpeg(1, 0))
            assert (await heard(socket)).body["errors"] == [32]
            if number == 0:
                await socket.send(Codec.encode(Command.DISCONNECT))
                assert (await heard(socket)).command is Command.RESULT
    assert not await is_begun(service, address)


async def test_many_sessions_at_once_are_no_way_round(service: Service) -> None:
    """All have begun before one is refused; those beyond the bound get no second frame."""
    address = "192.0.2.40"
    async with contextlib.AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(door(service, address)) for _ in range(8)]
        for socket in crowd:
            assert (await heard(socket)).command is Command.CONNECTED
        ends = []
        for socket in crowd:
            await socket.send(stamped_jpeg(1, 0))
            assert (await heard(socket)).body["errors"] == [32]
            with contextlib.suppress(TimeoutError):
                ends.append(Answer.parse(await asyncio.wait_for(socket.recv(), 0.5)).command)
        assert ends == [Command.RESULT] * (len(crowd) - LIMIT)


async def test_ipv6_counts_by_network(service: Service) -> None:
    """Other addresses of the /64 are the same client, those of another /64 are not."""
    for number in range(LIMIT):
        await refused(service, f"2001:db8:0:1::{number + 1:x}", 1)
    assert not await is_begun(service, "2001:db8:0:1:abcd::1")
    assert await is_begun(service, "2001:db8:0:2::1")


async def test_a_session_under_way_may_be_resumed(service: Service) -> None:
    """The bound is on new sessions."""
    async with door(service, "192.0.2.50") as socket:
        connected = await heard(socket)
        await refused(service, "192.0.2.50", LIMIT)
        names = ("session-id", "resume-token")
        again = Codec.encode(Command.CONNECT, {name: connected.headers[name] for name in names})
        headers = {"X-Forwarded-For": "192.0.2.50"}
        async with connect(service.url, additional_headers=headers) as other:
            await other.send(again)
            assert (await heard(other)).command is Command.CONNECTED


async def test_a_second_address_is_no_way_round(service: Service) -> None:
    """One address begins the sessions, another one resumes them and shows the pictures."""
    first, second = "192.0.2.60", "192.0.2.61"
    for _ in range(LIMIT):
        async with door(service, first) as socket:
            connected = await heard(socket)
        headers = {name: connected.headers[name] for name in ("session-id", "resume-token")}
        address = {"X-Forwarded-For": second}
        async with connect(service.url, additional_headers=address) as other:
            await other.send(Codec.encode(Command.CONNECT, headers))
            assert (await heard(other)).command is Command.CONNECTED
            await other.send(stamped_jpeg(1, 0))
            assert (await heard(other)).body["errors"] == [32]
    assert not await is_begun(service, first)
    assert not await is_begun(service, second)


async def test_gateways_count_together_and_alone() -> None:
    """With a session store each counts for all; while that is down, each for itself."""
    with running_redis() as redis, contextlib.ExitStack() as stack:
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        first, second = (
            stack.enter_context(behind_a_proxy(f"firstCell = {number}\n{SETTINGS}{store}"))
            for number in range(2)
        )
        await refused(first, "192.0.2.60", LIMIT - 1)
        assert await is_begun(second, "192.0.2.60")
        await refused(second, "192.0.2.60", 1)
        assert not await is_begun(first, "192.0.2.60")
        redis.kill()
        await refused(first, "192.0.2.61", LIMIT)
        assert not await is_begun(first, "192.0.2.61")
        assert await is_begun(second, "192.0.2.61")
