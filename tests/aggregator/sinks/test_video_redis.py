"""VideoRedis with a real redis-server; test_video_redis_outages.py tests its outages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from rq import Queue
from rq.job import Job

from aggregator.sinks import video, video_redis
from shared import video_store
from shared.config.plugins import VideoRedisArgs
from shared.config.retention import RetentionSection
from tests.support.clock import SettableClock
from tests.support.events import ESTIMATE, JPEG, ended, info, judged
from tests.support.judge import shot
from tests.support.redis_server import RedisServer, running_redis
from tests.support.video_sink import (
    FRAMES,
    deliver,
    dropped,
    play,
    plugin,
    queued,
    scheduled,
    stored,
)

TURNED = replace(judged(1, 1), estimate=replace(ESTIMATE, rotation=90))


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-video") as server:
        yield server


def test_a_passed_frame_is_stored_as_judged(redis: RedisServer, tmp_path: Path) -> None:
    """The video gets the JPEG of the judged pixels; of other frames it gets the received bytes."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        sink.write(judged(1, 1, b"sent, and kept for FileLogger", shot(1, b"best")))
        sink.write(judged(1, 2, None, shot(2, b"good")))
        sink.write(judged(1, 3, b"sent"))
        frames = list(video_store.read_frames(client, info(1).session))
        assert [frame.frame for frame in frames] == [b"best", b"good", b"sent"]
        assert sink.dropped == 0


def test_frames_meta_and_job_arrive(redis: RedisServer, tmp_path: Path) -> None:
    """Each frame with its status in order, the session's data and one job, all with a TTL."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        play(sink, 1)
        frames = list(video_store.read_frames(client, info(1).session))
        assert [frame.seq for frame in frames] == list(range(1, FRAMES + 1))
        assert frames[0].frame == JPEG
        assert frames[0].at == 1001.0
        assert frames[0].status["errors"] == [32]
        assert frames[0].status["details"]["faceFramePosition"]["faceRect"]["x"] == 100
        meta = video_store.read_meta(client, info(1).session)
        assert meta is not None
        assert (meta.accepted, meta.best_seq, meta.frames_total) == (True, FRAMES, FRAMES)
        assert (meta.opened, meta.ended, meta.frames_dropped) == (1000.0, 2000.0, 0)
        (job,) = queued(client)
        assert scheduled(client).get_job_ids() == []
        assert job.id == f"video-{info(1).session}"
        assert (job.func_name, list(job.args)) == ("video_builder.job.build", [])
        assert job.kwargs == {"session": info(1).session, "task": "task.run"}
        assert (job.result_ttl, job.failure_ttl) == (500, 31_536_000)
        assert client.ttl(video_store.frames_key(info(1).session)) > 6 * 86_400
        assert client.ttl(video_store.meta_key(info(1).session)) > 6 * 86_400


def test_frames_expire_by_outcome(redis: RedisServer, tmp_path: Path) -> None:
    """The time counts from the session's end.

    During a session, and in the spool, it is the longest.
    """
    hour, section = 3600, RetentionSection(accepted="5h", refused="4h", left="3h")
    clock = SettableClock(wall_time=2000.0)  # the time when the sessions end

    def hours_left(number: int) -> float:
        return client.ttl(video_store.frames_key(info(number).session)) / hour

    with plugin(redis.url, tmp_path, section, clock=clock) as sink, redis.client() as client:
        sink.write(judged(1, 1))
        assert hours_left(1) == pytest.approx(5 - 1000 / hour, abs=0.02)
        clock.advance(hour)
        refused = replace(ended(3, 1, accepted=False), errors=(32,))
        for number, end in ((2, ended(2, 1)), (3, refused), (4, ended(4, 1, accepted=False))):
            sink.write(judged(number, 1))
            sink.write(end)
            assert hours_left(number) == pytest.approx({2: 4, 3: 3, 4: 2}[number], abs=0.02)
        redis.kill()
        clock.wall_time = time.time()  # as the times of files
        sink.write(judged(5, 1))
        for hours, waits in ((4.9, True), (0.2, False)):
            clock.advance(hours * hour)
            sink.maintain()
            assert (sink.waiting > 0) is waits
        assert sink.dropped == 1


def test_without_best_shot_the_job_waits(redis: RedisServer, tmp_path: Path) -> None:
    """Its video is due ``sessionTimeout`` after the end, by the clock that RQ's workers use."""
    clock = SettableClock(wall_time=1_900_000_000.0)
    with (
        plugin(redis.url, tmp_path, clock=clock, sessionTimeout=60.0) as sink,
        redis.client() as client,
    ):
        play(sink, 1, accepted=False)
        registry = scheduled(client)
        assert queued(client) == []
        assert registry.get_job_ids() == [f"video-{info(1).session}"]
        due = registry.get_scheduled_time(f"video-{info(1).session}").timestamp()
        assert due == 1_900_000_060.0


def test_a_session_whose_end_is_never_reported_has_a_video(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Its first frame schedules the job for the time when the session must be over."""
    clock = SettableClock(wall_time=1_900_000_000.0)
    with (
        plugin(redis.url, tmp_path, clock=clock, sessionTimeout=50.0) as sink,
        redis.client() as client,
    ):
        sink.write(judged(1, 1))
        with plugin(redis.url, tmp_path / "next") as following:
            following.write(judged(1, 2))
        registry = scheduled(client)
        assert registry.get_job_ids() == [f"video-{info(1).session}"]
        due = registry.get_scheduled_time(f"video-{info(1).session}").timestamp()
        assert due == 1_900_000_150.0
        assert queued(client) == []


def test_a_running_or_finished_job_is_not_enqueued_again(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The end of a session may be reported again after a worker has taken the job."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        play(sink, 1)
        client.delete(Queue("default", connection=client).key)  # taken by a worker
        sink.write(ended(1, FRAMES))
        assert queued(client) == []
        assert scheduled(client).get_job_ids() == []


def test_repeated_events_change_nothing(redis: RedisServer, tmp_path: Path) -> None:
    """A restarted aggregator sends events again; the frames and the one job stay the same."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        play(sink, 1)
        play(sink, 1)
        assert stored(client, 1) == list(range(1, FRAMES + 1))
        assert len(queued(client)) == 1
        assert dropped(client, 1) == 0
        assert sink.dropped == 0


def test_frames_limit_keeps_the_last(redis: RedisServer, tmp_path: Path) -> None:
    """At most the last N frames are kept, and those removed do not count as dropped."""
    with plugin(redis.url, tmp_path, framesLimit=4) as sink, redis.client() as client:
        play(sink, 1)
        assert stored(client, 1) == list(range(FRAMES - 3, FRAMES + 1))
        assert dropped(client, 1) == 0


def test_the_bytes_of_a_session_are_limited(redis: RedisServer, tmp_path: Path) -> None:
    """Frames over the limit are dropped and counted.

    Each session has its own limit and its own job.
    """
    bound = 3 * len(JPEG)
    with plugin(redis.url, tmp_path, sessionBytes=bound) as sink, redis.client() as client:
        play(sink, 1)
        play(sink, 2)
        assert stored(client, 1) == stored(client, 2) == [1, 2, 3]
        assert dropped(client, 1) == dropped(client, 2) == FRAMES - 3
        assert sink.dropped == 2 * (FRAMES - 3)
        assert len(queued(client)) == 2


@pytest.mark.parametrize("ttl", ["999999999w", "9999y", "999999999"])
def test_frames_expire_after_any_configured_time(
    redis: RedisServer, tmp_path: Path, ttl: str
) -> None:
    """Redis accepts the longest times that the configuration accepts."""
    with plugin(redis.url, tmp_path, framesTtl=ttl) as sink, redis.client() as client:
        play(sink, 1)
        assert client.ttl(video_store.frames_key(info(1).session)) > 0
        assert sink.dropped == 0


def test_a_ttl_beyond_the_range_of_redis_is_refused() -> None:
    """The frames would never expire."""
    with pytest.raises(ValidationError):
        VideoRedisArgs(framesTtl="999999999y")


def test_a_permanent_error_of_redis_delays_no_other_session(
    redis: RedisServer, tmp_path: Path
) -> None:
    """A key of a wrong type costs only that session its frames."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        client.set(video_store.frames_key(info(1).session), "foreign")
        play(sink, 1)
        play(sink, 2)
        assert sink.dropped == FRAMES + 1
        assert stored(client, 2) == list(range(1, FRAMES + 1))
        assert not sink.disabled


def test_a_foreign_job_delays_no_other_session(redis: RedisServer, tmp_path: Path) -> None:
    """If RQ cannot read an existing job of that name, only that session has no video."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        job = Job.key_for(video_store.job_id(info(1).session))
        client.hset(job, mapping={"created_at": "yesterday", "data": "?"})
        client.config_set("maxmemory", "1")
        play(sink, 1)
        play(sink, 2)
        client.config_set("maxmemory", "0")
        deliver(sink)
        assert stored(client, 2) == list(range(1, FRAMES + 1))
        assert len(queued(client)) == 1
        assert sink.dropped == 1


def test_sessions_that_end_elsewhere_are_forgotten(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their end is never reported here.

    The frames of the latest are still counted, and each has one job.
    """
    for module in (video, video_redis):
        monkeypatch.setattr(module, "MAX_SESSIONS", 5)
    bound = 2 * len(JPEG)
    with plugin(redis.url, tmp_path, sessionBytes=bound) as sink, redis.client() as client:
        for number in range(20):
            sink.write(judged(0, 2 * number + 1))
            sink.write(judged(number + 1, 1))
        assert stored(client, 0) == [1, 3]
        assert len(sink._bytes) == 5
        assert len(sink._store._with_job) <= 5
        assert scheduled(client).count == 21


def test_a_session_without_frames_has_no_video(redis: RedisServer, tmp_path: Path) -> None:
    """It has no stream, no hash and no job."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        sink.write(judged(1, 1, b""))
        sink.write(ended(1, 0, accepted=False))
        assert client.dbsize() == 0


@pytest.mark.parametrize("reachable", [True, False], ids=["at once", "from the spool"])
def test_a_frame_is_stored_with_its_rotation(
    redis: RedisServer, tmp_path: Path, *, reachable: bool
) -> None:
    """The bytes are stored as received, and the video worker rotates them as the judge did."""
    if not reachable:
        redis.kill()
    with plugin(redis.url, tmp_path) as sink:
        sink.write(TURNED)
        if not reachable:
            redis.start()
            deliver(sink)
    with redis.client() as client:
        (frame,) = video_store.read_frames(client, info(1).session)
    assert (frame.frame, frame.rotation) == (JPEG, 90)


def test_the_judged_pixels_are_stored_without_a_rotation(
    redis: RedisServer, tmp_path: Path
) -> None:
    """They are upright already."""
    with plugin(redis.url, tmp_path) as sink:
        sink.write(replace(TURNED, shot=shot(1)))
    with redis.client() as client:
        (frame,) = video_store.read_frames(client, info(1).session)
    assert (frame.frame, frame.rotation) == (shot(1).image, 0)
