"""VideoRedis: writes a session's frames and statuses to Redis, then a job for a video worker."""

import contextlib
import logging
from pathlib import Path

from redis.exceptions import (
    ClusterError,
    ConnectionError,
    ExecAbortError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from aggregator.frame_status import frame_status
from aggregator.sinks.events import Event, FrameJudged
from aggregator.sinks.spool import Spool
from aggregator.sinks.video import AddFrame, Finish, Operation, VideoStore, pack, unpack
from shared import __version__
from shared.codes import Code
from shared.config.plugins import VideoRedisArgs
from shared.config.retention import KEEP_ALL, RetentionSection, SessionEnding
from shared.frame.checks import Rules
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.redis_connection import connect
from shared.redis_needs import VIDEO_REDIS
from shared.redis_rights import describe, missing_rights
from shared.video_store import SessionMeta, StoredFrame

log = logging.getLogger(__name__)

REDIS_TIMEOUT = 2.0
"""Seconds to wait for an answer of Redis."""
RETRY_SECONDS = 0.5
"""Minimum pause before Redis is tried again."""
RETRY_FACTOR = 5
"""The pause is at least this many times the duration of the failed try, to leave time for
spooling."""
MAINTENANCE_DRAIN = 500
"""Spooled operations delivered in each call of ``maintain``."""
WRITE_DRAIN = 8
"""Spooled operations delivered with each new one, so that the spool shrinks under load too."""
OUTAGES = (
    ConnectionError,
    TimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    NoPermissionError,
    ExecAbortError,
    ClusterError,
)
"""Errors worth a retry; any other error would repeat forever."""
OUTAGE_WORDS = ("MISCONF", "NOREPLICAS", "BUSY Redis", "ACL failure in script")
"""Texts of such errors that have no type in the library: disk full, replicas missing, busy, a
missing right for a command of a script."""
MAX_SESSIONS = 100_000
"""Sessions whose bytes are counted; those that another machine took over never end here."""
PLACE = "[MIDDLEWARES.WS.VideoRedis] args.connectionString"


def operation(event: Event, args: VideoRedisArgs, rules: Rules, now: float) -> Operation | None:
    """Return an event's operation; None for a frame without an image, a session without frames.

    ``now`` is the wall time, because RQ compares the times of jobs with the workers' wall time.
    """
    session = event.info.session
    if isinstance(event, FrameJudged):
        if not event.image or Code.FRAME_UNDECODABLE in event.estimate.errors:
            return None
        status = frame_status(event.estimate, event.errors, rules, reveal=True)
        frame = StoredFrame(event.seq, event.at, event.image, status, event.rotation)
        return AddFrame(session, frame)
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
    return Finish(session, meta, 0.0 if event.best_seq else now + args.sessionTimeout)


class VideoRedis:
    """Sink of the plugin: writes to Redis, or during an outage to a bounded spool on disk.

    While the spool is not empty, all operations go through it, to keep a session's frames in order.
    A frame that does not fit is dropped; the end of a session has extra room. A session lasts at
    most ``max_seconds``.

    Raises:
        StartupError: the spool's folder or the address cannot be used.
    """

    name = "VideoRedis"

    def __init__(
        self,
        args: VideoRedisArgs,
        rules: Rules,
        max_seconds: float,
        retention: RetentionSection = KEEP_ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._args = args
        self._clock = clock
        self._rules = rules
        self._redis = connect(args.connectionString, timeout=REDIS_TIMEOUT)
        longest = max_seconds + args.sessionTimeout
        self._store = VideoStore(self._redis, args, longest, retention, clock=clock)
        self._max_age = retention.max_age(SessionEnding.UNKNOWN)
        self._spool = Spool(Path(args.spoolPath), args.spoolBytes)
        self._bytes: dict[str, int] = {}
        self._retry_at = 0.0
        self._durability_checked = False
        self._rights_checked = False
        self._outage = Outage(log, self.name, f"{self.name}: Redis answers again")
        self.dropped = 0

    @property
    def disabled(self) -> bool:
        """Whether Redis has an outage."""
        return self._outage.ongoing

    @property
    def waiting(self) -> int:
        """Bytes in the spool."""
        return self._spool.bytes

    def write(self, event: Event) -> None:
        """Apply an event's operation to Redis, or spool it."""
        wanted = operation(event, self._args, self._rules, self._clock.wall())
        if wanted is None:
            if isinstance(event, FrameJudged) and event.image is None:
                self.dropped += 1
        elif not self._has_share(wanted):
            self.dropped += 1
        elif self._spool or not self._try(wanted):
            if not self._spool.append(pack(wanted), essential=isinstance(wanted, Finish)):
                self.dropped += 1
            self._drain(WRITE_DRAIN)

    def _has_share(self, wanted: Operation) -> bool:
        """Count the bytes of a session's frames; False for a frame beyond ``sessionBytes``."""
        before = self._bytes.pop(wanted.session, 0)
        if isinstance(wanted, Finish):
            return True
        size = before + len(wanted.frame.frame)
        fits = not 0 < self._args.sessionBytes < size
        self._bytes[wanted.session] = size if fits else before  # as the last one
        if len(self._bytes) > MAX_SESSIONS:
            del self._bytes[next(iter(self._bytes))]
        return fits

    def maintain(self) -> None:
        """Remove expired frames from the spool, and deliver a part of it."""
        self._drop_expired()
        self._log_missing_rights()
        self._drain(MAINTENANCE_DRAIN)

    def _drop_expired(self) -> None:
        """Drop spooled frames that an outage has kept for too long, whatever their session's end.

        The end itself is dropped with them: Redis has no frames of the session any more.
        """
        while self._spool and self._clock.wall() - self._spool.oldest_time() > self._max_age:
            self._spool.pop()
            self.dropped += 1

    def _log_missing_rights(self) -> None:
        """Check once, as soon as Redis answers, which rights the user lacks."""
        started = self._clock.monotonic()
        if self._rights_checked or started < self._retry_at:
            return
        try:
            missing = missing_rights(self._redis, VIDEO_REDIS)
        except RedisError as error:
            self._back_off(error, started)
            return
        self._rights_checked = True
        if missing:
            log.error("%s", describe(PLACE, missing))
        else:
            self._outage.worked()

    def close(self) -> None:
        """Leave the spool to the next aggregator."""
        self._spool.close()
        self._redis.close()

    def _drain(self, limit: int) -> None:
        for _ in range(min(limit, len(self._spool))):
            if (data := self._spool.oldest()) is None:
                return
            try:
                oldest = unpack(data)
            except ValueError as error:
                log.error("%s: %s", self.name, error)
                self.dropped += 1
            else:
                if not self._try(oldest):
                    return
            self._spool.pop()

    def _try(self, wanted: Operation) -> bool:
        """Apply an operation; False during an outage.

        An operation that will never succeed is dropped, so that it does not block all others.
        """
        started = self._clock.monotonic()
        if started < self._retry_at:
            return False
        try:
            self._store.apply(wanted)
        except Exception as error:  # RQ raises types of its own for a job that it cannot read
            if not _is_outage(error):
                log.error("%s: Redis refuses an operation: %r", self.name, error)
                self.dropped += 1
                return True
            self._back_off(error, started)
            return False
        self._outage.worked()
        self._check_durability()
        return True

    def _back_off(self, error: Exception, started: float) -> None:
        """Delay the next try after one that started at a monotonic time."""
        took = self._clock.monotonic() - started
        self._retry_at = self._clock.monotonic() + max(RETRY_SECONDS, RETRY_FACTOR * took)
        self._outage.failed(f"Redis fails, frames go to the spool: {type(error).__name__}")

    def _check_durability(self) -> None:
        """Warn once if a crash of Redis would lose jobs; a Redis may hide the answer."""
        if self._durability_checked:
            return
        self._durability_checked = True
        with contextlib.suppress(RedisError, KeyError):
            if not self._store.is_durable():
                log.warning(
                    "%s: Redis has appendonly off, a crash would lose frames and jobs; turn it on",
                    self.name,
                )


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OUTAGES) or any(word in str(error) for word in OUTAGE_WORDS)
