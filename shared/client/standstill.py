"""When a connection counts as broken: nothing moves on it, in either direction.

A verdict of 267 kB takes 33 s at 64 kbit/s, and a frame takes seconds, too. So what counts is the
time since the last byte, not that since the last message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

LOOKS = 4
"""Looks at a connection in the time that it may stand still."""


class Movement(NamedTuple):
    """Bytes of a connection at a moment.

    Attributes:
        arrived: of the message that is coming, so far.
        unacknowledged: of what was sent, and has not reached the other end.
    """

    arrived: int
    unacknowledged: int


class Standstill:
    """Notices that nothing moves any more. Look at it again after each ``step``.

    Args:
        seconds: for which a connection may stand still; it is noticed at most a quarter of that
            later.
        measure: reads the connection.

    Attributes:
        step: seconds between two looks.
    """

    def __init__(self, seconds: float, measure: Callable[[], Movement]) -> None:
        self.step = seconds / LOOKS
        self._measure = measure
        self._last = measure()
        self._quiet = 0

    def is_over(self) -> bool:
        """Whether the connection has stood still for the whole time, now that a step has passed."""
        now = self._measure()
        arriving = now.arrived != self._last.arrived
        leaving = now.unacknowledged < self._last.unacknowledged
        self._last = now
        self._quiet = 0 if arriving or leaving else self._quiet + 1
        return self._quiet >= LOOKS
