"""Waiting, running, finished and failed jobs, read from RQ's registries without changing them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis
from rq.job import Job
from rq.registry import BaseRegistry
from rq.results import Result
from rq.serializers import JSONSerializer

from shared import video_store
from shared.process.clock import SYSTEM, Clock
from video_builder.job import VideoJob
from video_builder.rq_adapter import AdaptedQueue

RATE_WINDOW = timedelta(minutes=5)
MAX_FINISHED = 2000
"""Finished jobs that are read for the rate."""


@dataclass(frozen=True)
class Running:
    """A running job."""

    session: str
    stage: str
    done: int
    total: int
    worker: str


@dataclass(frozen=True)
class QueueStatus:
    """One queue.

    Attributes:
        scheduled: number of jobs scheduled for later.
        finished: number of finished jobs whose result is still stored.
        perMinute: videos per minute, over the last five minutes.
    """

    name: str
    workers: list[str]
    waiting: int
    scheduled: int
    running: list[Running]
    finished: int
    failed: int
    perMinute: float


@dataclass(frozen=True)
class Failure:
    """A job that failed."""

    session: str
    queue: str
    ended: str
    reason: str
    trace: str


def queue_status(redis: Redis, name: str, *, clock: Clock = SYSTEM) -> QueueStatus:
    """Read the status of one queue."""
    now = datetime.fromtimestamp(clock.wall(), UTC)
    queue = _queue(redis, name)
    ids = queue.started_job_registry.get_job_ids(cleanup=False)
    return QueueStatus(
        name=name,
        workers=queue.living_workers,
        waiting=queue.count,
        scheduled=queue.scheduled_job_registry.get_job_count(cleanup=False),
        running=[_running(job) for job in _fetch(redis, ids)],
        finished=queue.finished_job_registry.get_job_count(cleanup=False),
        failed=queue.failed_job_registry.get_job_count(cleanup=False),
        perMinute=_rate(redis, queue.finished_job_registry, now),
    )


def failures(redis: Redis, name: str) -> Iterator[Failure]:
    """Yield the failed jobs of a queue, the latest first."""
    registry = _queue(redis, name).failed_job_registry
    for job in _fetch(redis, registry.get_job_ids(desc=True, cleanup=False)):
        yield _failure(job)


def failure(redis: Redis, session: str) -> Failure | None:
    """Return the failed job of a session; None if there is none."""
    found = next(_fetch(redis, [video_store.job_id(session)]), None)
    return _failure(found) if found is not None and found.is_failed else None


def retry(redis: Redis, session: str) -> bool:
    """Put the failed job of a session back into its queue, with all its attempts."""
    found = next(_fetch(redis, [video_store.job_id(session)]), None)
    if found is None or not found.is_failed:
        return False
    found.reset_attempts()
    _queue(redis, found.origin).failed_job_registry.requeue(found)
    return True


def _queue(redis: Redis, name: str) -> AdaptedQueue:
    return AdaptedQueue(name, connection=redis, job_class=VideoJob, serializer=JSONSerializer)


def _fetch(redis: Redis, ids: list[str]) -> Iterator[VideoJob]:
    for job in VideoJob.fetch_many(ids, connection=redis, serializer=JSONSerializer):
        if isinstance(job, VideoJob):  # None if the job is gone
            yield job


def _running(job: Job) -> Running:
    meta: dict[str, Any] = job.meta if isinstance(job.meta, dict) else {}
    return Running(
        session=session_of(job),
        stage=str(meta.get("stage", "starting")),
        done=_count(meta.get("done")),
        total=_count(meta.get("total")),
        worker=job.worker_name or "",
    )


def _count(value: object) -> int:
    """Return a number from a job's metadata; 0 for anything else."""
    return value if type(value) is int else 0


def _failure(job: Job) -> Failure:
    result = job.latest_result()
    trace = (result.exc_string or "") if result and result.type is Result.Type.FAILED else ""
    lines = trace.strip().splitlines()
    ended = job.ended_at.isoformat(timespec="seconds") if job.ended_at else ""
    return Failure(session_of(job), job.origin, ended, lines[-1] if lines else "unknown", trace)


def session_of(job: Job) -> str:
    """Return the id of the session that a job is for."""
    return job.id.removeprefix("video-")


def _rate(redis: Redis, registry: BaseRegistry, now: datetime) -> float:
    """Return the videos per minute, counting the finished jobs that are still stored."""
    since = now - RATE_WINDOW
    latest = registry.get_job_ids(end=MAX_FINISHED - 1, desc=True, cleanup=False)
    made = sum(1 for job in _fetch(redis, latest) if job.ended_at and job.ended_at >= since)
    return round(made / (RATE_WINDOW.total_seconds() / 60), 1)
