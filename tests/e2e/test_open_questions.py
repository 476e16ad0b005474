"""Processes die while a plugin's question to an external service is open: there is one verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from lunapass_client import Client
from shared.wire.protocol import Command
from tests.support.plugins import Outside
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

SETTINGS = """
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS."tests.support.plugins:Oracle"]
isEnabled = 1
args.patience = 120.0
args.folder = "DIRECTORY"
"""
LIVE = 50
"""Number of a stamped image that passes every check, so that the plugin asks about it."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SETTINGS, workers=1) as started:
        yield started


@pytest.fixture
async def outside(service: Service) -> Iterator[Outside]:
    """The external service, blocked until the test opens it; all roles are running."""
    await asyncio.to_thread(service.wait_ready)
    made = Outside(service.directory)
    yield made
    made.open()


async def test_a_frame_waits_for_the_external_answer(service: Service, outside: Outside) -> None:
    """Frames without a question are answered at once."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 1))
        assert (await client.receive()).body["errors"] == [32]
        await client.send_frame(stamped_jpeg(1, LIVE))
        await outside.wait_asked()
        with pytest.raises(TimeoutError):
            await client.receive(seconds=0.3)
        outside.open()
        assert (await client.receive()).body["isOk"]
        assert (await client.receive()).body["isOk"]


async def test_a_killed_aggregator_is_asked_again(service: Service, outside: Outside) -> None:
    """The next aggregator judges the frame with the open question, which succeeds once."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(2, 1))
        await client.receive()
        await client.send_frame(stamped_jpeg(2, LIVE))
        await outside.wait_asked()
        os.kill(service.pids("aggregator")[0], signal.SIGKILL)
        await outside.wait_asked(times=2)
        outside.open()
        status = await client.receive()
        assert (status.seq, status.body["isOk"]) == (2, True)
        result = await client.receive()
        assert result.command is Command.RESULT
        assert result.body["isOk"]


async def test_a_killed_gateway_is_followed_by_one_verdict(
    service: Service, outside: Outside
) -> None:
    """The next gateway does not wait: the frame counts as refused, and a later one succeeds."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(3, LIVE))
        await outside.wait_asked()
        session, token = client.session_id, client.resume_token
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url, session_id=session, resume_token=token) as again:
        outside.open()
        with contextlib.suppress(ConnectionClosed):
            await again.send_frame(stamped_jpeg(3, LIVE))
        answers = [answer async for answer in again.answers()]
    results = [answer for answer in answers if answer.command is Command.RESULT]
    assert [result.body["isOk"] for result in results] == [True]
