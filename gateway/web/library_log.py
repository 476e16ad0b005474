"""Limits the rate of the WebSocket library's log.

The library logs a traceback when a client does something unexpected. A client that can trigger this
must not be able to fill the disk.
"""

import logging

from gateway.limits.buckets import LineBudget
from shared.process.clock import SYSTEM, Clock

LINES, RATE = 10, 1 / 60
"""Burst of lines, and lines per second."""


class LibraryLog(logging.Filter):
    """Passes lines at a limited rate; each has the number of lines skipped before it."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        super().__init__()
        self._clock = clock
        self._lines = LineBudget(RATE, LINES)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a line."""
        unlogged = self._lines.take(self._clock.monotonic())
        record.fields = {"unlogged": unlogged}
        return unlogged is not None
