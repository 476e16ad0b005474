"""Both Python clients against the running service: a verdict, also over a killed gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import jwt
import pytest

from lunapass.client import Answer, Client, NoVerdict, Refused, SyncClient
from shared.protocol import Command
from tests.support.service import KEY, UNPACED, Service, running
from tests.support.stamp import stamped_jpeg


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(UNPACED) as started:
        yield started


def frames(person: int, *, pause: float = 0.02) -> Iterator[bytes]:
    """Frames of which those from number 20 on are live."""
    for number in range(200):
        time.sleep(pause)
        yield stamped_jpeg(person, min(number, 200))


async def paced_frames(person: int) -> AsyncIterator[bytes]:
    for number in range(400):
        await asyncio.sleep(0.02)
        yield stamped_jpeg(person, min(number, 200))


def test_the_synchronous_client_brings_a_token(service: Service) -> None:
    """A script of five lines has a verdict that verifies, and hears each status on the way."""
    heard: list[Answer] = []
    with SyncClient(service.url) as client:
        verdict = client.check(frames(21), heard.append)
        session = client.session_id
    assert verdict.accepted
    assert verdict.token is not None
    claims = jwt.decode(verdict.token, KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["sid"] == session
    assert {answer.command for answer in heard} == {Command.STATUS}


async def test_the_asynchronous_client_outlives_a_gateway(service: Service) -> None:
    """The gateway is killed in the middle: the client resumes and the verdict is its session's."""
    killed = False

    def kill_once(answer: Answer) -> None:
        nonlocal killed
        if not killed and answer.seq == 5:
            killed = True
            os.kill(service.pids("gateway")[0], signal.SIGKILL)

    async with Client(service.url, resumes=12) as client:
        session = client.session_id
        verdict = await client.check(paced_frames(22), kill_once)
    assert killed
    assert verdict.accepted
    assert verdict.token is not None
    claims = jwt.decode(verdict.token, KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["sid"] == session


def test_frames_that_end_bring_no_verdict(service: Service) -> None:
    """A client that stops too early is told so, not left waiting."""
    service.wait_ready()
    with SyncClient(service.url) as client, pytest.raises(NoVerdict):
        client.check([stamped_jpeg(23, 1)])


async def test_a_wrong_token_is_refused(service: Service) -> None:
    """The service's refusal is raised with its code."""
    async with Client(service.url, session_id="0" * 32, resume_token="0" * 32) as client:
        with pytest.raises(Refused, match=r"session\.unknown"):
            await client.check([stamped_jpeg(24, 1)])
