"""A clock that a test sets, so that no test waits or depends on the time of day."""

from __future__ import annotations

import time

from shared.process.clock import Clock


class SettableClock(Clock):
    """Two clocks that stand still until the test moves them.

    Args:
        wall_time: initial wall clock time, seconds since the epoch.
        monotonic_time: initial time of the monotonic clock in seconds.
    """

    def __init__(
        self, wall_time: float = 1_800_000_000.0, monotonic_time: float = 50_000.0
    ) -> None:
        super().__init__(lambda: self.wall_time, lambda: self.monotonic_time)
        self.wall_time = wall_time
        self.monotonic_time = monotonic_time

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall_time += seconds
        self.monotonic_time += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back; no time passes."""
        self.wall_time += seconds


class RunningClock(SettableClock):
    """Clocks on which time also passes by itself, for parts that wait for a moment."""

    def __init__(
        self, wall_time: float = 1_800_000_000.0, monotonic_time: float = 50_000.0
    ) -> None:
        super().__init__(wall_time, monotonic_time)
        start = time.monotonic()
        Clock.__init__(
            self,
            lambda: self.wall_time + time.monotonic() - start,
            lambda: self.monotonic_time + time.monotonic() - start,
        )
