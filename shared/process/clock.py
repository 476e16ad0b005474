"""The two clocks of a process. Objects that need the time get a ``Clock`` in their constructor.

The monotonic clock measures every duration: time-outs, hourly limits, the time within a session.
It never goes back and cannot be set. Its zero differs between machines, so a reading is never
compared with one of another machine.

The wall clock is for labels and for the times in tokens. An operator or NTP may set it at any
moment, so the difference of two readings is not a duration.
"""

import time
from collections.abc import Callable


class Clock:
    """The clocks of this process, or those that a test sets.

    Attributes:
        wall: reads the wall clock: Unix time in seconds.
        monotonic: reads the monotonic clock, in seconds since a moment before the process start.
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
"""The machine's clocks, for everything but tests."""
