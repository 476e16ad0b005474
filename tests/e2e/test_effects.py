"""Side effects of the whole service: nothing is lost or duplicated when the aggregator dies."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from lunapass_client import Client
from shared import video_store
from shared.session_log import SessionLog, folders, read_session
from shared.wire.protocol import Command
from tests.support.namespace import private_tmpfs
from tests.support.redis_server import running_redis
from tests.support.service import Service, running
from tests.support.stamp import shown_jpeg, stamped_jpeg
from tests.support.waiting import until


async def play(service: Service, person: int, frames: int, *, pause: float = 0.0) -> list[bytes]:
    """Send this many refused frames and then an accepted one; return the frames with a status."""
    judged = []
    async with Client(service.url) as client:
        for number in range(frames + 1):
            sent = stamped_jpeg(person, 200 if number == frames else number % 10)
            await client.send_frame(sent)
            answer = await client.receive()
            if answer.command is Command.STATUS:
                judged.append(sent)
            await asyncio.sleep(pause)
        assert (await client.receive()).body["isOk"]
    return judged


def ended_logs(path: Path, count: int) -> list[SessionLog]:
    """Wait for this many finished folders."""
    deadline = time.monotonic() + 60
    while True:
        logs = [read_session(folder) for folder in folders(path)]
        if sum(log.verdict is not None for log in logs) == count:
            return logs
        assert time.monotonic() < deadline, logs
        time.sleep(0.05)


async def test_every_frame_is_logged_although_the_aggregator_is_killed(tmp_path: Path) -> None:
    """Each judged frame of ten sessions is there once; the aggregator is killed three times."""
    settings = f'[MIDDLEWARES.WS.FileLogger]\nisEnabled = 1\nargs.path = "{tmp_path}/logs"\n'
    with running(settings) as service:
        playing = [
            asyncio.create_task(play(service, person, 20, pause=0.05)) for person in range(10)
        ]
        for _ in range(3):
            await asyncio.sleep(0.5)
            for pid in service.pids("aggregator"):
                os.kill(pid, signal.SIGKILL)
        sent = await asyncio.gather(*playing)
        logs = await asyncio.to_thread(ended_logs, tmp_path / "logs", 10)
        assert service.metric('lunapass_effects_dropped_total{plugin="FileLogger"}') == 0
    written = []
    for log in logs:
        assert log.verdict is not None
        assert log.verdict.accepted
        assert len(log.frames) == log.verdict.frames
        assert [frame.seq for frame in log.frames] == sorted({frame.seq for frame in log.frames})
        assert log.frames[-1].errors == ()
        written.append([(log.folder / (frame.file or "")).read_bytes() for frame in log.frames])
    assert sorted(written) == sorted(sent)


def videos(redis: Redis, count: int) -> dict[str, tuple[list[bytes], int, int]]:
    """Wait for this many jobs.

    Return each session's frames, their number and how many were lost.
    """
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    deadline = time.monotonic() + 90
    while len(queue) < count:
        assert time.monotonic() < deadline, f"{len(queue)} jobs"
        time.sleep(0.05)
    found = {}
    for job in queue.jobs:
        session = job.kwargs["session"]
        meta = video_store.read_meta(redis, session)
        assert meta is not None
        frames = [frame.frame for frame in video_store.read_frames(redis, session)]
        found[session] = (frames, meta.frames_total, meta.frames_dropped)
    assert len(found) == len(queue)
    return found


DROPPED = 'lunapass_effects_dropped_total{plugin="VideoRedis"}'
WHOLE = 1_000_000_000
"""Bytes of a spool that fits every frame of the test."""


@pytest.mark.parametrize("spool", [WHOLE, 150_000], ids=["room", "little room"])
async def test_video_jobs_survive_two_kills_of_redis(tmp_path: Path, spool: int) -> None:
    """Each of twenty sessions has one job, with all its frames in order or counted drops."""
    with running_redis() as redis:
        settings = f"""
[MIDDLEWARES.WS.VideoRedis]
isEnabled = 1
args.connectionString = "{redis.url}"
args.spoolPath = "{tmp_path}/spool"
args.spoolBytes = {spool}
"""
        with running(settings) as service:
            people = range(20)
            playing = [asyncio.create_task(play(service, p, 20, pause=0.15)) for p in people]
            for outage in (1, 2):
                await asyncio.sleep(0.6)
                redis.kill()
                if outage == 1 and spool < WHOLE:  # until the spool is full, at any speed
                    await until(lambda: service.metric(DROPPED) > 0)
                else:
                    await asyncio.sleep(0.8)
                await asyncio.to_thread(redis.start)
            sent = await asyncio.gather(*playing)
            for judged in sent:
                judged[-1] = shown_jpeg(judged[-1])  # the passed frame, as judged
            with redis.client() as client:
                found = await asyncio.to_thread(videos, client, 20)
            dropped = service.metric(DROPPED)
    lost = 0
    for frames, total, missing in found.values():
        whole = next(one for one in sent if frames[-1] in one)
        assert len(whole) == total == len(frames) + missing
        left = iter(whole)
        assert all(frame in left for frame in frames), "frames out of order or of another session"
        lost += missing
    assert lost == dropped
    assert (lost > 0) == (spool < WHOLE)


async def test_a_full_disk_stops_the_files_but_no_session() -> None:
    """Sessions pass while the folder's file system is full; one log line and a metric report it."""
    settings = '[MIDDLEWARES.WS.FileLogger]\nisEnabled = 1\nargs.path = "DIRECTORY/memory/logs"\n'
    with running(settings, wrapper=private_tmpfs("DIRECTORY/memory", "200k")) as service:
        for person in range(3):
            await play(service, person, 20, pause=0.04)
        off = 'lunapass_effects_disabled{plugin="FileLogger"}'
        await until(lambda: service.metric(off) == 1)
        await play(service, 4, 20, pause=0.04)
        assert service.metric('lunapass_effects_dropped_total{plugin="FileLogger"}') > 20
        log = (service.directory / "log").read_text()
    assert log.count("FILE LOGGER IS OFF: No space left on device") == 1
