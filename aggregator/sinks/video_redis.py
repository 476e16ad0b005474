"""VideoRedis: a session's frames and statuses to Redis, then a job for the video worker."""

from __future__ import annotations

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
from shared.frame.checks import Rules
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.redis_connection import connect
from shared.redis_needs import VIDEO_REDIS
from shared.redis_rights import fault, missing_rights
from shared.video_store import SessionMeta, StoredFrame

log = logging.getLogger(__name__)

REDIS_TIMEOUT = 2.0
"""Seconds to wait for Redis before it counts as unreachable."""
RETRY_SECONDS = 0.5
"""Pause before Redis is tried again."""
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
OUTAGE_WORDS = ("MISCONF", "NOREPLICAS", "BUSY Redis", "ACL failure in script")
"""Words of such faults for which the library has no kind: disk full, replicas away, busy, a right
that a command of a script lacks."""
PLACE = "[MIDDLEWARES.WS.VideoRedis] args.connectionString"


def operation(event: Event, args: VideoRedisArgs, rules: Rules, now: float) -> Operation | None:
    """Tell what an event means for Redis; None for one without a picture or without frames.

    ``now`` is the wall time, since RQ compares the times of jobs with that of its workers.
    """
    session = event.info.session
    if isinstance(event, FrameJudged):
        if not event.picture or Code.FRAME_UNDECODABLE in event.estimate.errors:
            return None
        status = frame_status(event.estimate, event.errors, rules, reveal=True)
        frame = StoredFrame(event.seq, event.at, event.picture, status, event.rotation)
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
    """Sink of the plugin: Redis while it answers, else a bounded spool on disk.

    While the spool holds anything, everything goes through it, so that a session's frames stay in
    order. A frame for which there is no room is given up; the session's end is not.

    Args:
        args: arguments of the plugin.
        rules: thresholds for the statuses.
        longest: seconds that a session lasts at most.
        clock: times the tries and dates the jobs.

    Raises:
        StartupError: the spool's folder or the address cannot be used.
    """

    name = "VideoRedis"

    def __init__(
        self, args: VideoRedisArgs, rules: Rules, longest: float, *, clock: Clock = SYSTEM
    ) -> None:
        self._args = args
        self._clock = clock
        self._rules = rules
        self._redis = connect(args.connectionString, timeout=REDIS_TIMEOUT)
        self._store = VideoStore(self._redis, args, longest + args.sessionTimeout, clock=clock)
        self._spool = Spool(Path(args.spoolPath), args.spoolBytes)
        self._bytes: dict[str, int] = {}
        self._retry_at = 0.0
        self._judged_durable = False
        self._asked_rights = False
        self._outage = Outage(log, self.name, f"{self.name}: Redis answers again")
        self.dropped = 0

    @property
    def disabled(self) -> bool:
        """Whether Redis takes nothing for now."""
        return self._outage.ongoing

    @property
    def waiting(self) -> int:
        """Bytes in the spool."""
        return self._spool.bytes

    def write(self, event: Event) -> None:
        """Carry an event's operation out, or spool it."""
        wanted = operation(event, self._args, self._rules, self._clock.wall())
        if wanted is None:
            self.dropped += isinstance(event, FrameJudged) and event.picture is None
        elif not self._has_share(wanted):
            self.dropped += 1
        elif self._spool or not self._try(wanted):
            if not self._spool.append(pack(wanted), must=isinstance(wanted, Finish)):
                self.dropped += 1
            self._drain(DRAINED_AT_ONCE)

    def _has_share(self, wanted: Operation) -> bool:
        """Count the bytes of a session's frames; False for a frame beyond what it may have."""
        if isinstance(wanted, Finish):
            self._bytes.pop(wanted.session, None)
            return True
        size = self._bytes.get(wanted.session, 0) + len(wanted.frame.frame)
        if 0 < self._args.sessionBytes < size:
            return False
        self._bytes[wanted.session] = size
        return True

    def rest(self) -> None:
        """Deliver some of the spool."""
        self._log_missing_rights()
        self._drain(DRAINED_AT_REST)

    def _log_missing_rights(self) -> None:
        """Ask once, as soon as Redis answers, which rights its user lacks."""
        begun = self._clock.monotonic()
        if self._asked_rights or begun < self._retry_at:
            return
        try:
            missing = missing_rights(self._redis, VIDEO_REDIS)
        except RedisError as error:
            self._rest_after(error, begun)
            return
        self._asked_rights = True
        if missing:
            log.error("%s", fault(PLACE, missing))
        else:
            self._outage.worked()

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
        begun = self._clock.monotonic()
        if begun < self._retry_at:
            return False
        try:
            self._store.apply(wanted)
        except Exception as error:  # RQ raises kinds of its own for a job that it cannot read
            if not _is_outage(error):
                log.error("%s: Redis refuses an operation: %r", self.name, error)
                self.dropped += 1
                return True
            self._rest_after(error, begun)
            return False
        self._outage.worked()
        self._warn_once()
        return True

    def _rest_after(self, error: Exception, begun: float) -> None:
        """Leave Redis alone for a while, after a try that began at a monotonic time."""
        took = self._clock.monotonic() - begun
        self._retry_at = self._clock.monotonic() + max(RETRY_SECONDS, RETRY_SHARE * took)
        self._outage.failed(f"Redis takes nothing, frames go to the spool: {type(error).__name__}")

    def _warn_once(self) -> None:
        """Tell of a Redis whose crash would lose jobs; one that does not say is taken as it is."""
        if self._judged_durable:
            return
        self._judged_durable = True
        with contextlib.suppress(RedisError, KeyError):
            if not self._store.is_durable():
                log.warning(
                    "%s: Redis has appendonly off; its crash would lose frames and jobs", self.name
                )


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OUTAGES) or any(word in str(error) for word in OUTAGE_WORDS)
