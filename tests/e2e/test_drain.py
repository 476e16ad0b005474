"""SIGTERM: the service says it is not ready, takes nobody new, and lets the running ones end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from lunapass.client import Client
from shared.protocol import CloseCode, Command
from tests.support.service import running
from tests.support.stamp import stamped_jpeg


async def test_a_service_that_ends_lets_its_clients_end() -> None:
    """One client still gets its verdict; another, which dawdles, is asked to come back (1012)."""
    with running("[LIMITS]\ndrainSeconds = 4.0\n", workers=1) as service:
        async with Client(service.url) as client, Client(service.url) as dawdler:
            await client.send_frame(stamped_jpeg(1, 1))
            await client.receive()
            service.process.send_signal(signal.SIGTERM)
            await until_not_ready(service.get)
            with pytest.raises(InvalidHandshake) as refused:
                await Client(service.url).__aenter__()
            assert "503" in str(refused.value)
            await client.send_frame(stamped_jpeg(1, 30))
            answers = [answer async for answer in client.answers()]
            assert [answer.command for answer in answers] == [Command.STATUS, Command.RESULT]
            assert client.close_code == CloseCode.VERDICT
            with pytest.raises(ConnectionClosed):
                await dawdler.receive()
            assert dawdler.close_code == CloseCode.RESTART
        assert await asyncio.to_thread(service.process.wait, 20) == 0


async def until_not_ready(get: Callable[[str], httpx.Response]) -> None:
    """Wait until /readyz says 503 because of the drain."""
    for _ in range(50):
        answer = await asyncio.to_thread(get, "/readyz")
        if answer.status_code == 503:
            assert answer.text == "draining\n"
            return
        await asyncio.sleep(0.02)
    pytest.fail("the service stayed ready")
