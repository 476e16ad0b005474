"""Processes die while a plugin's question to the outside is open: one verdict all the same."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from lunapass.client import Client
from shared.protocol import Command
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

SETTINGS = """
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS."tests.support.plugins:Oracle"]
isEnabled = 1
args.seconds = 1.5
args.patience = 6.0
"""
LIVE = 50
"""Number of a stamped picture that passes every check, so that the plugin asks about it."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(SETTINGS, workers=1) as started:
        yield started


async def test_an_answer_from_outside_is_waited_for(service: Service) -> None:
    """Frames that ask nothing are answered at once, the one that asks when there is an answer."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(1, 1))
        assert (await client.receive()).body["errors"] == [32]
        await client.send_frame(stamped_jpeg(1, LIVE))
        assert (await client.receive()).body["isOk"]
        assert (await client.receive()).body["isOk"]


async def test_a_killed_aggregator_is_asked_again(service: Service) -> None:
    """The frame whose question was open is judged by the next aggregator, and succeeds once."""
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(2, 1))
        await client.receive()
        await client.send_frame(stamped_jpeg(2, LIVE))
        await asyncio.sleep(0.4)
        os.kill(service.pids("aggregator")[0], signal.SIGKILL)
        status = await client.receive()
        assert (status.seq, status.body["isOk"]) == (2, True)
        result = await client.receive()
        assert result.command is Command.RESULT
        assert result.body["isOk"]


async def test_a_killed_gateway_is_followed_by_one_verdict(service: Service) -> None:
    """The next gateway does not wait: the frame counts as refused, and a further one succeeds.

    Where the answer came before that gateway did, the verdict is given already.
    """
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url) as client:
        await client.send_frame(stamped_jpeg(3, LIVE))
        await asyncio.sleep(0.3)
        session, token = client.session_id, client.resume_token
        os.kill(service.pids("gateway")[0], signal.SIGKILL)
    await asyncio.to_thread(service.wait_ready)
    async with Client(service.url, session_id=session, resume_token=token) as again:
        with contextlib.suppress(ConnectionClosed):
            await again.send_frame(stamped_jpeg(3, LIVE))
        answers = [answer async for answer in again.answers()]
    results = [answer for answer in answers if answer.command is Command.RESULT]
    assert [result.body["isOk"] for result in results] == [True]
