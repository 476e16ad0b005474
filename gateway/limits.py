"""Token bucket: so many in a second, so many at once."""

from __future__ import annotations

import time


class TokenBucket:
    """Admits events at a rate with a burst.

    Args:
        rate: events in a second.
        burst: events at once.
        now: monotonic time of the beginning.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float, now: float | None = None) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated = time.monotonic() if now is None else now

    def available(self, now: float) -> float:
        """Tokens that there are at a monotonic time."""
        return min(self._burst, self._tokens + (now - self._updated) * self._rate)

    def admit(self, now: float | None = None) -> bool:
        """Take one token; False when there is none."""
        now = time.monotonic() if now is None else now
        self._tokens = self.available(now)
        self._updated = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
