"""VideoRedis for tests, and its data in Redis."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

from aggregator.sinks import video_redis
from aggregator.sinks.video_redis import VideoRedis
from shared import video_store
from shared.config.plugins import VideoRedisArgs
from shared.config.retention import KEEP_ALL, RetentionSection
from shared.frame.checks import Rules
from shared.process.clock import SYSTEM, Clock
from tests.support.events import ended, info, judged

FRAMES = 10


@contextlib.contextmanager
def plugin(
    address: str,
    folder: Path,
    retention: RetentionSection = KEEP_ALL,
    *,
    clock: Clock = SYSTEM,
    **args: Any,
) -> Iterator[VideoRedis]:
    """Return the plugin, which retries Redis at once."""
    section = VideoRedisArgs(connectionString=address, spoolPath=str(folder), **args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_redis, "RETRY_SECONDS", 0.01)
        made = VideoRedis(section, Rules(), 100.0, retention, clock=clock)
        yield made
        made.close()


def play(sink: VideoRedis, number: int, *, accepted: bool = True) -> None:
    """Deliver a whole session as the writer reports it."""
    for seq in range(1, FRAMES + 1):
        sink.write(judged(number, seq))
    sink.write(ended(number, FRAMES, accepted=accepted))


def deliver(sink: VideoRedis) -> None:
    """Run maintenance until the spool is empty."""
    deadline = time.monotonic() + 60
    while sink.waiting:
        assert time.monotonic() < deadline, "the spool is not delivered"
        sink.maintain()
        time.sleep(0.005)


def stored(client: Redis, number: int) -> list[int]:
    """Return the numbers of a session's frames in Redis."""
    return [frame.seq for frame in video_store.read_frames(client, info(number).session)]


def queued(client: Redis) -> list[Job]:
    return Queue("default", connection=client, serializer=JSONSerializer).jobs


def scheduled(client: Redis) -> ScheduledJobRegistry:
    queue = Queue("default", connection=client, serializer=JSONSerializer)
    return ScheduledJobRegistry(queue=queue)


def dropped(client: Redis, number: int) -> int:
    meta = video_store.read_meta(client, info(number).session)
    assert meta is not None
    return meta.frames_dropped
