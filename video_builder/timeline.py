"""When to show each frame of a session, and for how long.

The frames' times come from Redis and may stand still, go back, jump or be NaN. The times in the
video always increase.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

MILLISECONDS = 1000
ALONE = 1000
"""How long to show the only frame of a session, in milliseconds."""

T = TypeVar("T")


class Timeline:
    """Maps the time of each frame, in order, to its time in the video, in milliseconds.

    Args:
        fps: constant frame rate; 0 uses the frames' own times.
        max_gap: maximum gap between two frames in seconds; longer ones are shortened.
    """

    def __init__(self, fps: float, max_gap: float) -> None:
        self._fps = fps
        self._max_gap = max_gap
        self._count = 0
        self._elapsed = 0.0
        self._previous = 0.0
        self._shown = -1

    def show(self, at: float) -> int:
        """Return the next frame's time in the video, at least 1 ms after the last."""
        if self._fps:
            self._elapsed = self._count / self._fps
        elif self._count:
            gap = at - self._previous
            self._elapsed += min(gap, self._max_gap) if gap > 0 else 0.0
        self._count += 1
        self._previous = at
        self._shown = max(self._shown + 1, round(self._elapsed * MILLISECONDS))
        return self._shown


def with_durations(frames: Iterable[tuple[int, T]]) -> Iterator[tuple[int, int, T]]:
    """Add each frame's duration: until the next frame; for the last, as long as the one before.

    ``frames`` are times in the video, in order, each with any item.

    Yields:
        Time, duration and item.
    """
    duration = ALONE
    previous: tuple[int, T] | None = None
    for time, item in frames:
        if previous is not None:
            duration = time - previous[0]
            yield previous[0], duration, previous[1]
        previous = time, item
    if previous is not None:
        yield previous[0], duration, previous[1]
