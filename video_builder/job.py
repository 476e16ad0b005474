"""The one job of a video worker: a session's frames become a video, then the user's task runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from redis import Redis
from redis.exceptions import RedisError
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.job import Job

from shared import video_store
from shared.config.video import VideoConfig
from shared.process.clock import SYSTEM, Clock
from shared.video_store import JOB_FUNCTION
from video_builder import film, output
from video_builder.errors import HopelessError, RefusedError
from video_builder.rq_adapter import AdaptedJob
from video_builder.task import Tasks

log = logging.getLogger(__name__)

CHUNK = 8
"""Frames read from Redis at a time."""
PROGRESS_SECONDS = 1.0
"""Least time between two notes of progress."""
KEPT_SECONDS = 600
"""How long the frames of a finished video are kept, should its job be run again."""


@dataclass(frozen=True)
class Builder:
    """Builds the video of a session.

    Attributes:
        config: the worker's configuration.
        tasks: the user's task file.
        clock: times the notes of progress.
    """

    config: VideoConfig
    tasks: Tasks
    clock: Clock = SYSTEM

    def build(
        self, redis: Redis, note: Callable[..., None], *, session: object, task: object
    ) -> dict[str, Any]:
        """Make a session's video and hand it to the user's task.

        Args:
            redis: where the frames are.
            note: takes progress as keywords.
            session: id of the session.
            task: name of a function in the task file.

        Returns:
            What the video is, as the job's result.

        Raises:
            VideoError: there is no video, for a reason that it tells.
            Exception: whatever the user's task raises.
        """
        run = self.tasks.find(task)
        if not isinstance(session, str) or not output.SESSION.fullmatch(session):
            raise RefusedError("the session's id is none that this service gives")
        made = film.make(
            session,
            _meta(redis, session),
            lambda: video_store.read_frames(redis, session, chunk=CHUNK),
            self.config.VIDEO,
            lambda done, total: note(stage="encoding", done=done, total=total),
        )
        note(stage="task", done=made.frames, total=made.frames)
        run(made)
        video_store.expire(redis, session, KEPT_SECONDS)
        log.info(
            "made a video",
            extra={
                "fields": {
                    "session": session,
                    "frames": made.frames,
                    "skipped": made.skipped,
                    "seconds": made.seconds,
                    "task": task,
                }
            },
        )
        return {
            "video": made.video.name,
            "sha256": made.sha256,
            "frames": made.frames,
            "skipped": made.skipped,
            "seconds": made.seconds,
        }


def _meta(redis: Redis, session: str) -> video_store.SessionMeta | None:
    try:
        return video_store.read_meta(redis, session)
    except ValueError:
        log.warning("a session's facts cannot be read", extra={"fields": {"session": session}})
        return None


class VideoJob(AdaptedJob):
    """A job of RQ that runs nothing but ``Builder.build``, whatever Redis says."""

    builder: ClassVar[Builder | None] = None

    @classmethod
    def of(cls, builder: Builder) -> type[Self]:
        """Return this class bound to a builder."""
        return type(cls.__name__, (cls,), {"builder": builder})

    def function(self) -> Callable[..., dict[str, Any]]:
        """Return what runs the job; its name is compared, not imported.

        Raises:
            RefusedError: the job names another function.
        """
        if self.func_name != JOB_FUNCTION or self.instance is not None or self.args:
            self.give_up()
            raise RefusedError(f"only {JOB_FUNCTION}(session=, task=) is run here")
        return self._build

    def on_restored(self) -> None:
        """Have the worker's configuration decide how long and how often the job is tried."""
        if self.builder is not None:
            worker = self.builder.config.WORKER
            self.limit(worker.jobTimeout, worker.retryPauses)

    def _build(self, *, session: object = None, task: object = None) -> dict[str, Any]:
        if self.builder is None:
            raise RefusedError("this process runs no jobs")
        notes = Notes(self, clock=self.builder.clock)
        try:
            return self.builder.build(self.connection, notes.take, session=session, task=task)
        except Exception as error:
            if isinstance(error, HopelessError):
                self.give_up()
            self._keep_frames(session)
            raise

    def _keep_frames(self, session: object) -> None:
        """Have Redis keep the frames of a video that is not made as long as the failed job."""
        if isinstance(session, str):
            seconds = DEFAULT_FAILURE_TTL if self.failure_ttl is None else self.failure_ttl
            try:
                video_store.retain(self.connection, session, seconds)
            except RedisError as error:  # the caller reports the job's own error
                fields = {"session": session}
                log.warning("frames not kept longer: %s", error, extra={"fields": fields})


class Notes:
    """Keeps a job's progress in its meta, at most once a second.

    Args:
        job: the job.
        clock: times the notes.
    """

    def __init__(self, job: Job, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._job = job
        self._next = 0.0
        self._stage = ""

    def take(self, *, stage: str, done: int, total: int) -> None:
        """Note how far the job is."""
        now = self._clock.monotonic()
        if stage != self._stage or now >= self._next:
            self._next, self._stage = now + PROGRESS_SECONDS, stage
            self._job.meta.update(stage=stage, done=done, total=total)
            self._job.save_meta()  # type: ignore[no-untyped-call]
