"""Whether the session store answers, and since when without a break."""

from shared.process.clock import SYSTEM, Clock

TRIES_UNTIL_DOWN = 2
"""Failed tries in a row after which the store is down; each has its share of the timeout.

One is not enough: a process that was suspended misses an answer that is there; the second try
finds it.
"""
GRACE_TIMEOUTS = 3
"""Length of the grace period in timeouts: time for a living owner to notice that the store is back
(half a timeout) and to write all its sessions."""


class StoreContact:
    """Records the tries to reach the store, and decides two things that depend on each other.

    - When an owner stops waiting for the store: after ``SESSION_STORE.timeout`` without an answer.
      From then on it may release answers that are not stored.
    - When a gateway takes sessions over: never within the grace period after a break. What a living
      owner released until then is stored by the end of the period, even if the store has lost
      it, as after a failover to a replica that lags.
    """

    def __init__(self, timeout: float, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.try_seconds = timeout / TRIES_UNTIL_DOWN
        """Time limit of one try; a failed one takes all of it, so that two in a row are an outage
        of a whole timeout."""
        self.beat_seconds = timeout / 4
        """Pause between two tries while there is nothing to write; short enough that every outage
        of a whole timeout shows as a gap between two answers."""
        self._grace = GRACE_TIMEOUTS * timeout
        self._failures = 0
        self._connections = 0
        self._broken = False
        self._last_answer = clock.monotonic()
        self._unbroken_since = self._last_answer  # a gateway knows nothing from before its start

    @property
    def reached(self) -> bool:
        """Whether the last try succeeded."""
        return self._failures == 0

    @property
    def down(self) -> bool:
        """Whether the store has not answered for a whole timeout."""
        return self._failures >= TRIES_UNTIL_DOWN

    def connected(self) -> None:
        """Record a new connection, which may lead to another server, or to one without its data.

        redis-py replaces a connection that has ended without an error, so this may be the only
        sign of a fast failover.
        """
        self._unbroken_since = self._clock.monotonic()
        self._connections += 1
        self._broken = self._connections > 1  # before the first one nothing was written

    def answered(self) -> bool:
        """Record a try that succeeded; return whether the store may have lost data before it."""
        now = self._clock.monotonic()
        broken = self._broken or self._failures > 0 or now - self._last_answer > self.try_seconds
        if broken:
            self._unbroken_since = now
        self._failures, self._last_answer, self._broken = 0, now, False
        return broken

    def failed(self) -> None:
        """Record a try that failed."""
        self._failures += 1

    def grace_left(self) -> float:
        """Seconds after which to ask again whether sessions may be taken over; 0 or less: they may.

        An answer that is overdue may be the first sign of an outage, so it is waited for.
        """
        now = self._clock.monotonic()
        if self._failures or now - self._last_answer > self.try_seconds:
            return self.beat_seconds
        return self._unbroken_since + self._grace - now
