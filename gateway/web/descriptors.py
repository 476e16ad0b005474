"""The number of sockets that the gateway may open within the limit on open files.

A process without a free descriptor cannot answer: libuv accepts and closes waiting connections
silently. So the number of sockets is bounded below that limit, with room to answer "full" to
connections over ``LIMITS.connections``.
"""

import errno
import logging
import os
import resource
from dataclasses import dataclass

from gateway.limits.buckets import TokenBucket
from shared.config.cells import worker_count
from shared.config.service import Config
from shared.errors import ResourceError

log = logging.getLogger(__name__)

SPARE = 256
"""Sockets beyond ``LIMITS.connections``, for HTTP requests and for answering "full"."""
OWN = 64
"""Descriptors that are opened later for other purposes: ZeroMQ, Redis, files; plus one per
worker."""
MIN_SOCKETS = 16
"""Below this, the gateway is useless and does not start."""
PROBE_SECONDS = 1.0
LOG_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """Maximum numbers of WebSockets and of all sockets of clients."""

    connections: int
    sockets: int


def make_room(config: Config) -> Capacity:
    """Raise the soft limit on open files to the hard limit if ``LIMITS`` need that.

    Returns:
        What the limit has room for; if that is less than ``LIMITS``, it is logged.

    Raises:
        ResourceError: the limit leaves no room to serve anything.
    """
    limits = config.LIMITS
    wanted = limits.connections + SPARE
    others = len(os.listdir("/proc/self/fd")) + OWN + worker_count(config)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + others and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        log.info("limit on open files raised", extra={"fields": {"from": soft, "to": hard}})
        soft = hard
    left = soft - others
    if left >= wanted:
        return Capacity(limits.connections, wanted)
    if left < MIN_SOCKETS:
        raise ResourceError(
            f"ulimit -n is {soft}, of which the gateway itself needs {others}; raise it to "
            f"{wanted + others} for LIMITS.connections = {limits.connections}"
        )
    room = Capacity(left - min(SPARE, left // 4), left)
    log.warning(
        "ulimit -n is %d: room for %d connections instead of LIMITS.connections = %d; "
        "raise it to %d (LimitNOFILE under systemd), or lower that",
        soft,
        room.connections,
        limits.connections,
        wanted + others,
    )
    return room


class Descriptors:
    """Detects when no file descriptor is left."""

    def __init__(self) -> None:
        self.exhausted = False
        self._next = 0.0
        self._lines = TokenBucket(1 / LOG_SECONDS, 1)

    def look(self, now: float) -> None:
        """Probe at most once a second; the gateway's loop calls it with the monotonic time."""
        if now < self._next:
            return
        self._next = now + PROBE_SECONDS
        self.exhausted = _none_left()
        if self.exhausted and self._lines.admit(now):
            log.error(
                "no file descriptor is left, new connections are closed unanswered; raise ulimit "
                "-n (LimitNOFILE under systemd)",
                extra={"fields": {"limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}},
            )


def _none_left() -> bool:
    try:
        os.close(os.open("/", os.O_PATH | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False
