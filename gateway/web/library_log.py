"""Bounds the lines that the WebSocket library logs.

It logs with a traceback what it does not expect of a client. If a client finds a way to make it do
so, that must not fill the disk.
"""

from __future__ import annotations

import logging

from gateway.web.limits import LineBudget
from shared.process.clock import SYSTEM, Clock

LINES, RATE = 10, 1 / 60
"""Lines at once, and in a second after that."""


class LibraryLog(logging.Filter):
    """Passes lines at a bounded rate; each says how many were left out before it.

    Args:
        clock: times the lines.
    """

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        super().__init__()
        self._clock = clock
        self._lines = LineBudget(RATE, LINES)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is logged."""
        unlogged = self._lines.take(self._clock.monotonic())
        record.fields = {"unlogged": unlogged}
        return unlogged is not None
