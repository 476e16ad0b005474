"""The job of a video worker while Redis fails: its own work is not lost or repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.config.video import VideoConfig
from shared.video_store import SessionMeta, encode_meta, frames_key, meta_key
from tests.support.clock import SettableClock
from tests.support.ports import free_port
from tests.support.redis_server import running_redis
from tests.support.video import session_frames, store
from video_builder.job import Builder, ProgressReport, VideoJob
from video_builder.task import Tasks

TASK = """
import os, signal
from pathlib import Path

def run(film):
    os.kill(int(Path("PLACE/pid").read_text()), signal.SIGKILL)
"""
"""Redis dies while the task runs."""


def client(port: int) -> Redis:
    return Redis(port=port, retry=Retry(NoBackoff(), 0))


def test_a_task_is_not_repeated_for_an_error_of_expiry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The job succeeds; one log line says that the frames do not expire sooner."""
    file = tmp_path / "task.py"
    file.write_text(TASK.replace("PLACE", str(tmp_path)))
    video = {"directory": str(tmp_path), "preset": "ultrafast"}
    builder = Builder(VideoConfig.model_validate({"VIDEO": video}), Tasks(file))
    with running_redis() as server, client(server.port) as redis:
        assert server.process is not None
        (tmp_path / "pid").write_text(str(server.process.pid))
        store(redis, "plain", session_frames(3))
        reports: list[dict[str, Any]] = []
        made = builder.build(
            redis, lambda **report: reports.append(report), session="plain", task="task.run"
        )
    assert made["frames"] == 3
    assert reports[-1]["stage"] == "task"
    assert "expiry of frames not shortened" in caplog.text


def test_frames_of_a_failed_job_are_stored_no_longer_than_retention_allows(tmp_path: Path) -> None:
    """The time depends on the outcome and counts from the end: here two of three hours are left."""
    file = tmp_path / "task.py"
    file.write_text("def run(film): raise RuntimeError")
    config = {"VIDEO": {"directory": str(tmp_path)}, "RETENTION": {"refused": "3h"}}
    clock = SettableClock()
    builder = Builder(VideoConfig.model_validate(config), Tasks(file), clock)
    with running_redis() as server, client(server.port) as redis:
        for session, accepted in (("refused", False), ("accepted", True)):
            store(redis, session, session_frames(1))
            meta = SessionMeta(0.0, clock.wall_time - 3600, accepted, [] if accepted else [32])
            redis.hset(meta_key(session), mapping=encode_meta(meta))
            job = VideoJob.of(builder)("made-up", redis, serializer=JSONSerializer)
            job.failure_ttl = 86_400
            for key in (frames_key(session), meta_key(session)):
                redis.expire(key, 60)
            with pytest.raises(RuntimeError):
                job._build(session=session, task="task.run")
            hours = redis.ttl(frames_key(session)) / 3600
            assert hours == pytest.approx(24 if accepted else 2, abs=0.01)


def test_unreported_progress_does_not_end_the_job(caplog: pytest.LogCaptureFixture) -> None:
    """There is one line for an outage, however long it lasts."""
    clock = SettableClock()
    with client(free_port()) as redis:
        job = Job.create("nothing", connection=redis, serializer=JSONSerializer)
        progress = ProgressReport(job, clock=clock)
        for done in range(3):
            clock.advance(10)
            progress.update(stage="encoding", done=done, total=3)
    assert caplog.text.count("progress not reported") == 1
