"""From the client's frames to the files: gateway, aggregator, Redis and two video workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from lunapass_client import Client
from shared.wire.protocol import Command
from tests.support.ffmpeg import probe
from tests.support.redis_server import RedisServer, running_redis
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg
from tests.support.video import Workshop, workshop
from tests.support.waiting import wait_for

PAUSE = 0.15
NOT_LIVE = 5


@dataclass
class Studio:
    """A service that stores its sessions' frames, and workers that make the videos."""

    service: Service
    shop: Workshop
    redis: RedisServer


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    with running_redis() as redis:
        settings = f"""
[LIMITS]
resumeSeconds = 4.0
[MIDDLEWARES.WS.VideoRedis]
isEnabled = 1
args.connectionString = "{redis.url}"
args.sessionTimeout = 1
args.spoolPath = "{folder}/spool"
"""
        with running(settings) as service, workshop(folder, redis.url) as shop:
            shop.start()
            shop.start()
            yield Studio(service, shop, redis)


async def send(client: Client, person: int, numbers: list[int]) -> None:
    """Send frames, one at a time, and wait for each answer."""
    for number in numbers:
        await client.send_frame(stamped_jpeg(person, number))
        answer = await client.receive()
        assert answer.command is Command.STATUS
        await asyncio.sleep(PAUSE)


def check(studio: Studio, session: str, frames: int, *, accepted: bool) -> None:
    """Wait for a session's video, and check its codec, number of frames and length."""
    wait_for(lambda: session in studio.shop.finished())
    summary = studio.shop.summary(session)
    times = [line["at"] for line in summary["frames"]]
    found = probe(studio.shop.videos / f"{session}.mp4")
    assert (found.codec, found.width, found.height) == ("hevc", 640, 480)
    assert found.frames == len(times) == frames
    one_frame = max(later - earlier for earlier, later in pairwise(times))
    assert abs(found.seconds - (times[-1] - times[0])) <= one_frame + 0.002
    assert found.times == pytest.approx([at - times[0] for at in times], abs=0.002)
    assert summary["verdict"]["isOk"] is accepted
    assert summary["framesMissing"] == 0
    assert json.loads(found.tags["comment"])["session"] == session


async def test_sessions_become_videos(studio: Studio) -> None:
    """Four people at once: each success becomes a video immediately, made by a free worker."""

    async def one(person: int) -> str:
        async with Client(studio.service.url) as client:
            await send(client, person, [NOT_LIVE] * (5 + person) + [30])
            return client.session_id

    sessions = await asyncio.gather(*(one(person) for person in range(4)))
    for person, session in enumerate(sessions):
        await asyncio.to_thread(check, studio, session, 6 + person, accepted=True)


async def test_a_resumed_session_is_one_video(studio: Studio) -> None:
    """A session on two connections leaves one video with the frames of both."""
    async with Client(studio.service.url) as client:
        await send(client, 7, [NOT_LIVE] * 4)
        session, token = client.session_id, client.resume_token
    async with Client(studio.service.url, session_id=session, resume_token=token) as again:
        await send(again, 7, [NOT_LIVE] * 3 + [30])
    await asyncio.to_thread(check, studio, session, 8, accepted=True)


async def test_a_session_without_success_is_filmed_too(studio: Studio) -> None:
    """RQ's scheduler makes its video after ``sessionTimeout``."""
    async with Client(studio.service.url) as client:
        await send(client, 8, [NOT_LIVE] * 6)
        session = client.session_id
    await asyncio.to_thread(check, studio, session, 6, accepted=False)
