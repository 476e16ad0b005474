"""Detects a broken connection: no progress in either direction.

A verdict of 267 kB takes 33 s at 64 kbit/s, and a frame takes seconds too. So the time since the
last byte counts, not the time since the last message.
"""

from collections.abc import Callable
from typing import NamedTuple

STEPS = 4
"""Number of measurements within the allowed time without progress."""


class Movement(NamedTuple):
    """Bytes of an incomplete message received so far, and sent bytes not yet at the other end."""

    arrived: int
    unacknowledged: int


class Standstill:
    """Detects that a connection makes no progress. Call ``is_over`` after each ``step``.

    ``seconds`` is the allowed time; the detection takes at most a quarter longer.

    Attributes:
        step: seconds between two measurements.
    """

    def __init__(self, seconds: float, measure: Callable[[], Movement]) -> None:
        self.step = seconds / STEPS
        self._measure = measure
        self._last = measure()
        self._quiet = 0

    def is_over(self) -> bool:
        """Whether the connection has made no progress for the whole time; call once per step."""
        now = self._measure()
        arriving = now.arrived != self._last.arrived
        leaving = now.unacknowledged < self._last.unacknowledged
        self._last = now
        self._quiet = 0 if arriving or leaving else self._quiet + 1
        return self._quiet >= STEPS
