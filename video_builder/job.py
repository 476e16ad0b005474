"""The one job of a video worker: makes a session's video, then runs the user's task."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Self

from redis import Redis
from redis.exceptions import RedisError
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.job import Job

from shared import video_store
from shared.config.retention import SessionEnding
from shared.config.video import VideoConfig
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.video_store import JOB_FUNCTION
from video_builder import film, output
from video_builder.errors import HopelessError, RefusedError
from video_builder.rq_adapter import AdaptedJob
from video_builder.task import Tasks

log = logging.getLogger(__name__)

CHUNK = 8
"""Frames read from Redis at a time."""
PROGRESS_SECONDS = 1.0
"""Minimum time between two reports of progress."""
RETAIN_SECONDS = 600
"""How long Redis retains the frames of a finished video, in case its job is run again."""


@dataclass(frozen=True)
class Builder:
    """Builds the video of a session."""

    config: VideoConfig
    tasks: Tasks
    clock: Clock = SYSTEM

    def build(
        self, redis: Redis, report: Callable[..., None], *, session: object, task: object
    ) -> dict[str, Any]:
        """Make a session's video and pass it to the user's task, a function of the task file.

        ``report`` gets the progress as keywords.

        Returns:
            Description of the video, as the job's result.

        Raises:
            VideoError: the video cannot be made.
            Exception: any error of the user's task.
        """
        run = self.tasks.find(task)
        if not isinstance(session, str) or not output.SESSION.fullmatch(session):
            raise RefusedError("the session's id is not valid")
        made = film.make(
            session,
            _meta(redis, session),
            lambda: video_store.read_frames(redis, session, chunk=CHUNK),
            self.config.VIDEO,
            lambda done, total: report(stage="encoding", done=done, total=total),
        )
        report(stage="task", done=made.frames, total=made.frames)
        run(made)
        _expire_frames(redis, session)
        counts = {"frames": made.frames, "skipped": made.skipped, "seconds": made.seconds}
        log.info("video made", extra={"fields": {"session": session, **counts, "task": task}})
        return {"video": made.video.name, "sha256": made.sha256, **counts}

    def retention_left(self, redis: Redis, session: str) -> float:
        """Return for how many seconds a session's frames may still be kept, or infinity.

        Raises:
            RedisError: Redis does not answer.
        """
        meta = _meta(redis, session)
        if meta is None:
            return self.config.RETENTION.max_age(SessionEnding.UNKNOWN)
        ending = SessionEnding.of(accepted=meta.accepted, errors=meta.errors)
        return meta.ended + self.config.RETENTION.max_age(ending) - self.clock.wall()


def _expire_frames(redis: Redis, session: str) -> None:
    """Shorten the life of the frames; a failure must not run the user's task a second time."""
    try:
        video_store.expire(redis, session, RETAIN_SECONDS)
    except RedisError as error:
        fields = {"session": session}
        log.warning("expiry of frames not shortened: %s", error, extra={"fields": fields})


def _meta(redis: Redis, session: str) -> video_store.SessionMeta | None:
    try:
        return video_store.read_meta(redis, session)
    except ValueError:
        log.warning("session metadata is invalid", extra={"fields": {"session": session}})
        return None


class VideoJob(AdaptedJob):
    """An RQ job that runs only ``Builder.build``, whatever Redis says."""

    builder: ClassVar[Builder | None] = None

    @classmethod
    def of(cls, builder: Builder) -> type[Self]:
        """Return this class bound to a builder."""
        return type(cls.__name__, (cls,), {"builder": builder})

    def function(self) -> Callable[..., dict[str, Any]]:
        """Return the function that runs the job; the name in the job is compared, not imported.

        Raises:
            RefusedError: the job names another function.
        """
        if self.func_name != JOB_FUNCTION or self.instance is not None or self.args:
            self.give_up()
            raise RefusedError(f"this worker runs only {JOB_FUNCTION}(session=, task=)")
        return self._build

    def on_restored(self) -> None:
        """Set time-out and retries from the worker's configuration."""
        if self.builder is not None:
            worker = self.builder.config.WORKER
            self.limit(worker.jobTimeout, worker.retryPauses)

    def _build(self, *, session: object = None, task: object = None) -> dict[str, Any]:
        if self.builder is None:
            raise RefusedError("this process runs no jobs")
        progress = ProgressReport(self, clock=self.builder.clock)
        try:
            return self.builder.build(self.connection, progress.update, session=session, task=task)
        except Exception as error:
            if isinstance(error, HopelessError):
                self.give_up()
            self._retain_frames(session)
            raise

    def _retain_frames(self, session: object) -> None:
        """Make Redis retain the frames of a failed job as long as the job and retention allow."""
        if isinstance(session, str) and self.builder is not None:
            seconds = DEFAULT_FAILURE_TTL if self.failure_ttl is None else self.failure_ttl
            try:
                left = self.builder.retention_left(self.connection, session)
                if left < inf:
                    seconds = int(max(0, min(left, seconds if seconds >= 0 else inf)))
                video_store.retain(self.connection, session, seconds)
            except RedisError as error:  # the caller reports the job's own error
                fields = {"session": session}
                log.warning("expiry of frames not extended: %s", error, extra={"fields": fields})


class ProgressReport:
    """Writes a job's progress to its metadata, once a second at most; a failure has no effect."""

    def __init__(self, job: Job, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._job = job
        self._next = 0.0
        self._stage = ""
        self._outage = Outage(log, "progress not reported", "progress is reported again")

    def update(self, *, stage: str, done: int, total: int) -> None:
        """Report how far the job is."""
        now = self._clock.monotonic()
        if stage != self._stage or now >= self._next:
            self._next, self._stage = now + PROGRESS_SECONDS, stage
            self._job.meta.update(stage=stage, done=done, total=total)
            try:
                self._job.save_meta()  # type: ignore[no-untyped-call]
            except RedisError as error:
                self._outage.failed(error)
            else:
                self._outage.worked()
