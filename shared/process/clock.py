"""The two clocks of a process. Everything that needs the time gets them through its constructor.

The monotonic clock measures every duration: time-outs, limits in an hour, the time within a
session. It never goes back and cannot be set. Its zero differs between machines, so a reading is
never compared with one of another machine.

The wall clock gives labels and the times in tokens. An operator or NTP may set it at any moment, so
the difference of two readings is no duration.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """The clocks of this process, or those that a test sets.

    Args:
        wall: reads the wall clock.
        monotonic: reads the monotonic clock.

    Attributes:
        wall: reads the wall clock, in seconds of the epoch.
        monotonic: reads the monotonic clock, in seconds since a moment before the process began.
    """

    __slots__ = ("monotonic", "wall")

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wall = wall
        self.monotonic = monotonic


SYSTEM = Clock()
"""The machine's clocks: what a role gives to its parts."""
