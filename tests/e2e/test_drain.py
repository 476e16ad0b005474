"""SIGTERM: the service says it is not ready, takes nobody new, and lets the running ones end."""

from __future__ import annotations

import asyncio
import signal

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from lunapass_client import Client
from shared.wire.protocol import CloseCode, Command
from tests.support.service import running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until


async def test_a_service_that_ends_lets_its_clients_end() -> None:
    """A client still gets its verdict, nobody new is let in, and the end waits no longer."""
    with running("[LIMITS]\ndrainSeconds = 120.0\n", workers=1) as service:
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(1, 1))
            await client.receive()
            service.process.send_signal(signal.SIGTERM)
            await until(lambda: service.get("/readyz").status_code == 503)
            assert service.get("/readyz").text == "draining\n"
            with pytest.raises(InvalidHandshake) as refused:
                await Client(service.url).__aenter__()
            assert "503" in str(refused.value)
            await client.send_frame(stamped_jpeg(1, 30))
            answers = [answer async for answer in client.answers()]
            assert [answer.command for answer in answers] == [Command.STATUS, Command.RESULT]
            assert client.close_code == CloseCode.VERDICT
        assert await asyncio.to_thread(service.process.wait, 60) == 0


async def test_a_client_that_dawdles_is_asked_to_come_back() -> None:
    """After drainSeconds, with 1012."""
    with running("[LIMITS]\ndrainSeconds = 0.5\n", workers=1) as service:
        async with Client(service.url) as dawdler:
            service.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await dawdler.receive()
            assert dawdler.close_code == CloseCode.RESTART
        assert await asyncio.to_thread(service.process.wait, 60) == 0
