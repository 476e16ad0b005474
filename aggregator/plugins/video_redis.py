"""VideoRedis: a session's frames and statuses to Redis, then a job for the video worker."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgpack
from redis import Redis
from redis.exceptions import (
    ClusterError,
    ConnectionError,
    ExecAbortError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

from aggregator.effects.events import Event, FrameJudged
from aggregator.effects.spool import Spool
from aggregator.frame_status import frame_status
from shared import __version__, video_store
from shared.checks import Rules
from shared.codes import Code
from shared.config_base import seconds
from shared.config_plugins import VideoRedisArgs
from shared.redis_connection import connect
from shared.video_store import SessionMeta, StoredFrame

log = logging.getLogger(__name__)

REDIS_TIMEOUT = 2.0
"""Seconds to wait for Redis before it counts as unreachable."""
RETRY_SECONDS = 0.5
"""Pause before Redis is tried again."""
JOB_SECONDS = 3600
"""Longest time a video may take to build."""
RETRY_SHARE = 5
"""That pause is so many times what the try took, so that tries leave time for spooling."""
DRAINED_AT_REST = 500
"""Spooled operations delivered at a time while nothing else is to be written."""
DRAINED_AT_ONCE = 8
"""Spooled operations delivered for each new one, so that the spool shrinks under load too."""
OUTAGES = (
    ConnectionError,
    TimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    NoPermissionError,
    ExecAbortError,
    ClusterError,
)
"""Faults of a Redis that takes nothing for now; every other refusal would be repeated for good."""


@dataclass(frozen=True, slots=True)
class AddFrame:
    """Add a frame to its session's stream."""

    session: str
    frame: StoredFrame


@dataclass(frozen=True, slots=True)
class Finish:
    """Write what is known of an ended session and enqueue its job.

    Attributes:
        session: id of the session.
        meta: what is known; the frames missing in Redis are not counted yet.
        due: time at which the video is to be built, seconds of the epoch; 0 builds it at once.
    """

    session: str
    meta: SessionMeta
    due: float


Operation = AddFrame | Finish


def operation(event: Event, args: VideoRedisArgs, rules: Rules) -> Operation | None:
    """Tell what an event means for Redis; None for one without a picture or without frames."""
    session = event.info.session
    if isinstance(event, FrameJudged):
        if not event.frame or Code.FRAME_UNDECODABLE in event.estimate.errors:
            return None
        status = frame_status(event.estimate, event.errors, rules, reveal=True)
        return AddFrame(session, StoredFrame(event.seq, event.at, event.frame, status))
    if event.frames == 0:
        return None
    meta = SessionMeta(
        opened=event.info.at,
        ended=event.at,
        accepted=event.accepted,
        errors=list(event.errors),
        best_seq=event.best_seq,
        frames_total=event.frames,
        version=__version__,
    )
    return Finish(session, meta, 0.0 if event.best_seq else event.at + args.sessionTimeout)


def pack(operation: Operation) -> bytes:
    """Write an operation for the spool."""
    if isinstance(operation, AddFrame):
        frame = operation.frame
        fields: list[Any] = [frame.seq, frame.at, frame.frame, frame.status]
    else:
        fields = [video_store.encode_meta(operation.meta), operation.due]
    packed: bytes = msgpack.packb([type(operation).__name__, operation.session, fields])
    return packed


def unpack(data: bytes) -> Operation:
    """Read an operation of the spool.

    Raises:
        ValueError: these bytes are none.
    """
    try:
        kind, session, fields = msgpack.unpackb(data)
        if kind == AddFrame.__name__:
            return AddFrame(session, StoredFrame(*fields))
        meta = {name.encode(): value.encode() for name, value in fields[0].items()}
        return Finish(session, video_store.decode_meta(meta), fields[1])
    except Exception as error:  # msgpack raises many kinds; all mean the same here
        raise ValueError(f"spooled operation: {type(error).__name__}") from error


class VideoStore:
    """Carries operations out in Redis.

    Args:
        redis: client.
        args: arguments of the plugin.
    """

    def __init__(self, redis: Redis, args: VideoRedisArgs) -> None:
        self._redis = redis
        self._args = args
        self._limit = args.framesLimit
        self._ttl = seconds(args.framesTtl)
        self._queue = Queue(args.queueName, connection=redis, serializer=JSONSerializer)

    def apply(self, operation: Operation) -> None:
        """Carry an operation out; again does no harm.

        Raises:
            RedisError: it is not known to be done.
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
            pipe.expire(key, self._ttl)
            added, expires = pipe.execute(raise_on_error=False)
        if isinstance(added, ResponseError) and "equal or smaller" in str(added):
            added = None  # it is there already
        for answer in (added, expires):
            if isinstance(answer, Exception):
                raise answer

    def _finish(self, operation: Finish) -> None:
        session, meta = operation.session, operation.meta
        expected = min(meta.frames_total, self._limit or meta.frames_total)
        stored = self._redis.xlen(video_store.frames_key(session))
        meta = replace(meta, frames_dropped=max(0, expected - stored))
        key = video_store.meta_key(session)
        with self._redis.pipeline() as pipe:
            pipe.hset(key, mapping=cast("dict[Any, Any]", video_store.encode_meta(meta)))
            pipe.expire(key, self._ttl)
            pipe.execute()
        self._enqueue(session, operation.due)

    def _enqueue(self, session: str, due: float) -> None:
        """Enqueue the session's one job, or schedule it; RQ refuses an id that it has already."""
        options: dict[str, Any] = {
            "kwargs": {"session": session, "task": self._args.workerTask},
            "job_id": video_store.job_id(session),
            "job_timeout": JOB_SECONDS,
            "result_ttl": seconds(self._args.resultTtl),
            "failure_ttl": seconds(self._args.failureTtl),
            "unique": True,
        }
        with contextlib.suppress(DuplicateJobError):
            if due > time.time():
                at = datetime.fromtimestamp(due, UTC)
                self._queue.enqueue_at(at, video_store.JOB_FUNCTION, **options)
            else:
                self._queue.enqueue(video_store.JOB_FUNCTION, **options)


class VideoRedis:
    """Sink of the plugin: Redis while it answers, else a bounded spool on disk.

    While the spool holds anything, everything goes through it, so that a session's frames stay in
    order. A frame for which there is no room is given up; the session's end is not.

    Args:
        args: arguments of the plugin.
        rules: thresholds for the statuses.

    Raises:
        StartupError: the spool's folder or the address cannot be used.
    """

    name = "VideoRedis"

    def __init__(self, args: VideoRedisArgs, rules: Rules) -> None:
        self._args = args
        self._rules = rules
        self._redis = connect(args.connectionString, timeout=REDIS_TIMEOUT)
        self._store = VideoStore(self._redis, args)
        self._spool = Spool(Path(args.spoolPath), args.spoolBytes)
        self._retry_at = 0.0
        self.dropped = 0
        self.disabled = False

    @property
    def waiting(self) -> int:
        """Bytes in the spool."""
        return self._spool.bytes

    def write(self, event: Event) -> None:
        """Carry an event's operation out, or spool it."""
        wanted = operation(event, self._args, self._rules)
        if wanted is None:
            self.dropped += isinstance(event, FrameJudged) and event.frame is None
        elif self._spool or not self._try(wanted):
            if not self._spool.append(pack(wanted), must=isinstance(wanted, Finish)):
                self.dropped += 1
            self._drain(DRAINED_AT_ONCE)

    def rest(self) -> None:
        """Deliver some of the spool."""
        self._drain(DRAINED_AT_REST)

    def close(self) -> None:
        """Leave the spool to the next aggregator."""
        self._spool.close()
        self._redis.close()

    def _drain(self, most: int) -> None:
        for _ in range(min(most, len(self._spool))):
            try:
                oldest = unpack(self._spool.oldest())
            except ValueError as error:
                log.error("%s: %s", self.name, error)
                self.dropped += 1
            else:
                if not self._try(oldest):
                    return
            self._spool.pop()

    def _try(self, wanted: Operation) -> bool:
        """Carry an operation out; False while Redis takes nothing.

        One that Redis refuses for good is given up, so that it does not hold up all others.
        """
        begun = time.monotonic()
        if begun < self._retry_at:
            return False
        try:
            self._store.apply(wanted)
        except RedisError as error:
            if not _is_outage(error):
                log.error("%s: Redis refuses an operation: %s", self.name, error)
                self.dropped += 1
                return True
            took = time.monotonic() - begun
            self._retry_at = time.monotonic() + max(RETRY_SECONDS, RETRY_SHARE * took)
            self._tell(f"Redis takes nothing, frames go to the spool: {type(error).__name__}")
            return False
        self._tell("")
        return True

    def _tell(self, outage: str) -> None:
        """Log an outage's beginning and its end, once each."""
        if bool(outage) == self.disabled:
            return
        self.disabled = bool(outage)
        if outage:
            log.error("%s: %s", self.name, outage)
        else:
            log.warning("%s: Redis answers again", self.name)


def _is_outage(error: RedisError) -> bool:
    return isinstance(error, OUTAGES) or "MISCONF" in str(error)
