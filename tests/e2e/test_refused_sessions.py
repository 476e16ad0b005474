"""One address cannot try images in session after session: the service makes it wait."""

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
"""Stamped frames from this number on are live."""
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
    """Run a service that trusts a proxy on this machine; each test acts as that proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        with running(settings, workers=1) as started:
            yield started


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Each test has its own addresses."""
    with behind_a_proxy(SETTINGS) as started:
        yield started


@contextlib.asynccontextmanager
async def new_connection(service: Service, address: str) -> AsyncIterator[ClientConnection]:
    """Open a connection of a client at an address and send CONNECT."""
    headers = {"X-Forwarded-For": address}
    async with connect(service.url, additional_headers=headers) as socket:
        await socket.send(Codec.encode(Command.CONNECT, {}))
        yield socket


async def heard(socket: ClientConnection) -> Answer:
    return Answer.parse(await asyncio.wait_for(socket.recv(), 30))


async def attempt(service: Service, address: str, *numbers: int) -> Answer:
    """Send frames until the verdict.

    Return the last answer, which is ERROR if no session starts.
    """
    async with new_connection(service, address) as socket:
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


async def can_start(service: Service, address: str) -> bool:
    """Whether a client at an address may start a session; it leaves at once."""
    async with new_connection(service, address) as socket:
        return (await heard(socket)).command is Command.CONNECTED


async def test_the_default_limit_is_twenty_refused_sessions() -> None:
    """The next session of the address gets ERROR; another address is served."""
    with behind_a_proxy(DEFAULTS) as service:
        results = [await attempt(service, "192.0.2.1", 0) for _ in range(DEFAULT_LIMIT)]
        assert [result.body["errors"] for result in results] == [[32]] * DEFAULT_LIMIT
        assert (await attempt(service, "192.0.2.1", LIVE)).command is Command.ERROR
        assert (await attempt(service, "192.0.2.2", LIVE)).body["isOk"]


async def test_at_the_limit_the_client_is_told_how_long_to_wait(service: Service) -> None:
    """ERROR has its own code and the seconds in a header; the close code is 1013."""
    await refused(service, "192.0.2.10", LIMIT)
    async with new_connection(service, "192.0.2.10") as socket:
        error = await heard(socket)
        assert error.command is Command.ERROR
        assert error.body["code"] == "session.too-many-refusals"
        assert 0 < error.headers["retry-after"] <= 60
        with pytest.raises(ConnectionClosed):
            await heard(socket)
        assert socket.close_code == CloseCode.OVERLOADED


async def test_success_does_not_reset_the_count(service: Service) -> None:
    """Accepted sessions in between change neither the count nor the limit."""
    for _ in range(LIMIT):
        await refused(service, "192.0.2.20", 1)
        if await can_start(service, "192.0.2.20"):
            assert (await attempt(service, "192.0.2.20", 0, LIVE)).body["isOk"]
    assert not await can_start(service, "192.0.2.20")


async def test_leaving_early_does_not_evade_the_limit(service: Service) -> None:
    """A session counts from its first frame with low liveness, with or without DISCONNECT."""
    address = "192.0.2.30"
    for _ in range(2 * LIMIT):
        assert await can_start(service, address)
    for number in range(LIMIT):
        async with new_connection(service, address) as socket:
            assert (await heard(socket)).command is Command.CONNECTED
            await socket.send(stamped_jpeg(1, 0))
            assert (await heard(socket)).body["errors"] == [32]
            if number == 0:
                await socket.send(Codec.encode(Command.DISCONNECT))
                assert (await heard(socket)).command is Command.RESULT
    assert not await can_start(service, address)


async def test_simultaneous_sessions_do_not_evade_the_limit(service: Service) -> None:
    """All start before one is refused; those beyond the limit get no second frame."""
    address = "192.0.2.40"
    async with contextlib.AsyncExitStack() as stack:
        crowd = [
            await stack.enter_async_context(new_connection(service, address)) for _ in range(8)
        ]
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
    """Addresses of the same /64 are one client, those of another /64 are not."""
    for number in range(LIMIT):
        await refused(service, f"2001:db8:0:1::{number + 1:x}", 1)
    assert not await can_start(service, "2001:db8:0:1:abcd::1")
    assert await can_start(service, "2001:db8:0:2::1")


async def test_a_running_session_may_be_resumed(service: Service) -> None:
    """The limit applies to new sessions."""
    async with new_connection(service, "192.0.2.50") as socket:
        connected = await heard(socket)
        await refused(service, "192.0.2.50", LIMIT)
        names = ("session-id", "resume-token")
        again = Codec.encode(Command.CONNECT, {name: connected.headers[name] for name in names})
        headers = {"X-Forwarded-For": "192.0.2.50"}
        async with connect(service.url, additional_headers=headers) as other:
            await other.send(again)
            assert (await heard(other)).command is Command.CONNECTED


async def test_a_second_address_does_not_evade_the_limit(service: Service) -> None:
    """One address starts the sessions; another one resumes them and shows the images."""
    first, second = "192.0.2.60", "192.0.2.61"
    for _ in range(LIMIT):
        async with new_connection(service, first) as socket:
            connected = await heard(socket)
        headers = {name: connected.headers[name] for name in ("session-id", "resume-token")}
        address = {"X-Forwarded-For": second}
        async with connect(service.url, additional_headers=address) as other:
            await other.send(Codec.encode(Command.CONNECT, headers))
            assert (await heard(other)).command is Command.CONNECTED
            await other.send(stamped_jpeg(1, 0))
            assert (await heard(other)).body["errors"] == [32]
    assert not await can_start(service, first)
    assert not await can_start(service, second)


async def test_gateways_share_their_counts() -> None:
    """With a session store each counts for all; during an outage, each for itself."""
    with running_redis() as redis, contextlib.ExitStack() as stack:
        store = f'[SESSION_STORE]\nconnectionString = "{redis.url}"\n'
        first, second = (
            stack.enter_context(behind_a_proxy(f"firstCell = {number}\n{SETTINGS}{store}"))
            for number in range(2)
        )
        await refused(first, "192.0.2.60", LIMIT - 1)
        assert await can_start(second, "192.0.2.60")
        await refused(second, "192.0.2.60", 1)
        assert not await can_start(first, "192.0.2.60")
        redis.kill()
        await refused(first, "192.0.2.61", LIMIT)
        assert not await can_start(first, "192.0.2.61")
        assert await can_start(second, "192.0.2.61")
