"""The Redis operations of VideoRedis: a session's frames, its metadata and its job."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from redis import Redis
from redis.exceptions import ResponseError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

from shared import video_store
from shared.config.base import seconds
from shared.config.plugins import VideoRedisArgs
from shared.config.retention import KEEP_ALL, RetentionSection, SessionEnding
from shared.process.clock import SYSTEM, Clock
from shared.video_store import SessionMeta, StoredFrame

MAX_SESSIONS = 100_000
"""Sessions that are known to have a job; those that another machine took over never end here."""
JOB_SECONDS = 3600
"""Maximum time to build a video."""


@dataclass(frozen=True, slots=True)
class AddFrame:
    """Add a frame to its session's stream."""

    session: str
    frame: StoredFrame


@dataclass(frozen=True, slots=True)
class Finish:
    """Write the metadata of an ended session and enqueue its job.

    Attributes:
        meta: its metadata; ``frames_dropped`` is not counted yet.
        due: Unix time in seconds at which to build the video; 0 for immediately.
    """

    session: str
    meta: SessionMeta
    due: float


Operation = AddFrame | Finish


def pack(operation: Operation) -> bytes:
    """Encode an operation for the spool."""
    if isinstance(operation, AddFrame):
        frame = operation.frame
        fields: list[Any] = [frame.seq, frame.at, frame.frame, frame.status, frame.rotation]
    else:
        fields = [video_store.encode_meta(operation.meta), operation.due]
    return msgspec.msgpack.encode([type(operation).__name__, operation.session, fields])


def unpack(data: bytes) -> Operation:
    """Decode an operation from the spool.

    Raises:
        ValueError: the bytes are not an operation.
    """
    try:
        kind, session, fields = msgspec.msgpack.decode(data)
        if kind == AddFrame.__name__:
            return AddFrame(session, StoredFrame(*fields))
        meta = {name.encode(): value.encode() for name, value in fields[0].items()}
        return Finish(session, video_store.decode_meta(meta), fields[1])
    except Exception as error:  # damaged bytes raise many types; all mean the same here
        raise ValueError(f"spooled operation: {type(error).__name__}") from error


class VideoStore:
    """Applies operations to Redis.

    Args:
        max_seconds: time from its first frame within which every session ends. The first frame
            schedules the job for then, so a video is built even if all processes die that could
            report the end.
        retention: how long frames are kept, in addition to ``args.framesTtl``.
    """

    def __init__(
        self,
        redis: Redis,
        args: VideoRedisArgs,
        max_seconds: float,
        retention: RetentionSection = KEEP_ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._args = args
        self._max_seconds = max_seconds
        self._retention = retention
        self._with_job: set[str] = set()
        self._limit = args.framesLimit
        self._ttl = seconds(args.framesTtl)
        self._queue = Queue(args.queueName, connection=redis, serializer=JSONSerializer)
        self._scheduled: Any = ScheduledJobRegistry(  # type: ignore[no-untyped-call]
            queue=self._queue
        )

    def is_durable(self) -> bool:
        """Return whether Redis writes every change to disk, so that its crash loses no job.

        Raises:
            RedisError: Redis does not answer that.
        """
        return bool(self._redis.info("persistence")["aof_enabled"])

    def apply(self, operation: Operation) -> None:
        """Apply an operation; it is idempotent.

        Raises:
            RedisError: it may not be done.
        """
        if isinstance(operation, AddFrame):
            self._add(operation)
        else:
            self._finish(operation)

    def _add(self, operation: AddFrame) -> None:
        key = video_store.frames_key(operation.session)
        fields = cast("dict[Any, Any]", video_store.encode_frame(operation.frame))
        entry_id = operation.frame.entry_id
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(key, fields, id=entry_id, maxlen=self._limit or None, approximate=False)
            pipe.expire(key, self._seconds_left(SessionEnding.UNKNOWN, operation.frame.at))
            added, expires = pipe.execute(raise_on_error=False)
        if isinstance(added, ResponseError) and "equal or smaller" in str(added):
            added = None  # the frame is already there
        for answer in (added, expires):
            if isinstance(answer, Exception):
                raise answer
        if operation.session not in self._with_job:
            self._enqueue(operation.session, self._clock.wall() + self._max_seconds)
            if len(self._with_job) >= MAX_SESSIONS:
                self._with_job.clear()  # a second job of a session is refused
            self._with_job.add(operation.session)

    def _finish(self, operation: Finish) -> None:
        session, meta = operation.session, operation.meta
        expected = min(meta.frames_total, self._limit or meta.frames_total)
        stored = self._redis.xlen(video_store.frames_key(session))
        meta = replace(meta, frames_dropped=max(0, expected - stored))
        key = video_store.meta_key(session)
        ending = SessionEnding.of(accepted=meta.accepted, errors=meta.errors)
        left = self._seconds_left(ending, meta.ended)
        with self._redis.pipeline() as pipe:
            pipe.hset(key, mapping=cast("dict[Any, Any]", video_store.encode_meta(meta)))
            pipe.expire(key, left)
            pipe.expire(video_store.frames_key(session), left)
            pipe.execute()
        if not self._enqueue(session, operation.due):
            self._reschedule(session, operation.due)
        self._with_job.discard(session)

    def _seconds_left(self, ending: SessionEnding, at: float) -> int:
        """Return for how many more seconds Redis keeps frames whose age counts from ``at``."""
        age = self._clock.wall() - at
        return int(max(1, min(self._ttl, self._retention.max_age(ending) - age)))

    def _enqueue(self, session: str, due: float) -> bool:
        """Enqueue or schedule the session's only job; False if it already has one."""
        options: dict[str, Any] = {
            "kwargs": {"session": session, "task": self._args.workerTask},
            "job_id": video_store.job_id(session),
            "job_timeout": JOB_SECONDS,
            "result_ttl": seconds(self._args.resultTtl),
            "failure_ttl": seconds(self._args.failureTtl),
            "unique": True,
        }
        try:
            if due > self._clock.wall():
                at = datetime.fromtimestamp(due, UTC)
                self._queue.enqueue_at(at, video_store.JOB_FUNCTION, **options)
            else:
                self._queue.enqueue(video_store.JOB_FUNCTION, **options)
        except DuplicateJobError:
            return False
        return True

    def _reschedule(self, session: str, due: float) -> None:
        """Move the job that the first frame scheduled, unless it has left the schedule."""
        job = self._queue.fetch_job(video_store.job_id(session))
        if job is None or self._redis.zscore(self._scheduled.key, job.id) is None:
            return
        if due > self._clock.wall():
            self._scheduled.schedule(job, datetime.fromtimestamp(due, UTC))
            return
        with self._redis.pipeline() as pipe:
            self._queue.enqueue_job(job, pipeline=pipe)
            self._scheduled.remove(job, pipeline=pipe)
            pipe.execute()
