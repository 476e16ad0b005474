"""After SIGTERM the service accepts no new clients and lets the others finish."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from lunapass_client import Client
from lunapass_client.answers import Answer
from shared.wire.protocol import CloseCode, Codec, Command
from tests.support.service import running
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until

ACTIVATE = """
import os, re, socket, sys
port = int(re.search(r"^port = (\\d+)", open(sys.argv[-1]).read(), re.M)[1])
listener = socket.create_server(("127.0.0.1", port))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Passes a listening socket as systemd does, so that a draining gateway has a successor."""


async def test_a_draining_service_lets_its_clients_finish() -> None:
    """A client still gets its verdict, no new session starts, and the service ends after that."""
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


async def test_a_slow_client_is_asked_to_reconnect() -> None:
    """Its connection is closed with 1012 after ``drainSeconds``."""
    with running("[LIMITS]\ndrainSeconds = 0.5\n", workers=1) as service:
        async with Client(service.url) as dawdler:
            service.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await dawdler.receive()
            assert dawdler.close_code == CloseCode.RESTART
        assert await asyncio.to_thread(service.process.wait, 60) == 0


async def commands(client: ClientConnection, frame: bytes) -> list[Command]:
    """Open a session on an upgraded connection, send a frame, and return the answers."""
    await client.send(Codec.encode(Command.CONNECT))
    await client.send(frame)
    return [Answer.parse(message).command async for message in client]


async def test_a_restart_serves_clients_that_are_just_connecting() -> None:
    """One has sent no request yet, the other no CONNECT: the old gateway serves both to the end."""
    settings = "[LIMITS]\nconnectTimeout = 60\ndrainSeconds = 120.0\n"
    whole = [Command.CONNECTED, Command.STATUS, Command.RESULT]
    with running(settings, workers=1, wrapper=[sys.executable, "-c", ACTIVATE]) as service:
        (gateway,) = service.pids("gateway")
        with socket.create_connection(("127.0.0.1", service.port)) as silent:
            async with connect(service.url) as upgraded:  # accepted after the first
                os.kill(gateway, signal.SIGTERM)
                await asyncio.sleep(0.5)  # some iterations of the drain loop
                assert await commands(upgraded, stamped_jpeg(1, 30)) == whole
            async with connect(service.url, sock=silent) as late:
                assert await commands(late, stamped_jpeg(2, 30)) == whole
        async with Client(service.url) as client:  # queued for the next gateway
            assert client.connected is not None
        assert service.pids("gateway") != [gateway]
