"""A session belongs to the client with its token, on one connection at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from lunapass_client import Client
from shared.wire.protocol import CloseCode, Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(workers=1) as started:
        yield started


async def resumed(service: Service, session: str | None, token: str | None) -> str:
    """Return the answer to a client that resumes a session."""
    async with Client(service.url, session_id=session, resume_token=token) as client:
        assert client.connected is not None
        if client.connected.command is Command.ERROR:
            code: str = client.connected.body["code"]
            return code
        return str(client.connected.command)


async def test_only_the_owner_gets_the_session(service: Service) -> None:
    """A thief who tries at the same moment neither gets the session nor locks out the owner."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 1))
        await client.receive()
        session, token = client.session_id, client.resume_token
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    thefts = [resumed(service, session, f"{number:032x}") for number in range(8)]
    *refused, owner = await asyncio.gather(*thefts, resumed(service, session, token))
    assert owner == "CONNECTED"
    assert set(refused) == {"session.unknown"}


async def test_a_replaced_connection_is_no_longer_read(service: Service) -> None:
    """Its frames do not count, so that the new connection's frame numbers stay correct."""
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(Client(service.url))
        new = await stack.enter_async_context(
            Client(service.url, session_id=old.session_id, resume_token=old.resume_token)
        )
        with contextlib.suppress(ConnectionClosed):
            for number in range(100):
                await old.send_frame(stamped_jpeg(2, number))
                await asyncio.sleep(0.02)
        await new.send_frame(stamped_jpeg(2, 30))
        assert (await new.receive()).seq == 1
        assert old.close_code == CloseCode.REPLACED


async def test_a_client_waits_while_the_aggregator_restarts(service: Service) -> None:
    """CONNECT is answered only once the session would survive a failure."""
    os.kill(service.pids("aggregator")[0], signal.SIGKILL)
    async with Client(service.url) as client:
        assert client.connected is not None
        assert client.connected.command is Command.CONNECTED


async def test_without_an_aggregator_a_client_is_asked_to_reconnect() -> None:
    """No session is promised that might be lost; the close code 1012 asks for another attempt."""
    with running("[LIMITS]\nconnectTimeout = 2.0\n", workers=1) as service:
        aggregator = service.pids("aggregator")[0]
        os.kill(aggregator, signal.SIGSTOP)
        try:
            assert await resumed(service, None, None) == "service.unavailable"
            assert await resumed(service, "0" * 32, "1" * 32) == "service.unavailable"
            assert service.get("/statistics").json()["sessions"]["open"] == 0
        finally:
            os.kill(aggregator, signal.SIGCONT)
        while (answer := await resumed(service, None, None)) != "CONNECTED":
            assert answer == "service.unavailable"  # it has a backlog


async def test_gateway_and_aggregator_may_die_one_after_the_other(service: Service) -> None:
    """A new gateway gets every session at once, so the aggregator may die before clients return.

    Clients then return to processes that have never seen them.
    """
    async with Client(service.url) as client:
        for number in range(3):
            await client.send_frame(stamped_jpeg(3, number))
            await client.receive()
        session, token = client.session_id, client.resume_token
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    os.kill(service.pids("aggregator")[0], signal.SIGKILL)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url, session_id=session, resume_token=token) as again:
        assert again.connected is not None
        assert again.connected.headers["seq"] == 3
