"""When each frame of a session is shown, and for how long.

Times come from the frames' own clock, which another process may have set: they may stand still, go
back, leap or be no number at all. What comes out always moves forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

MILLISECONDS = 1000
ALONE = 1000
"""Milliseconds for which the only frame of a session is shown."""

T = TypeVar("T")


class Timeline:
    """Turns the time of each frame, in order, into its time in the video, in milliseconds.

    Args:
        fps: frames a second, evenly; 0 keeps the frames' own times.
        max_gap: seconds to which a longer gap between two frames is cut.
    """

    def __init__(self, fps: float, max_gap: float) -> None:
        self._fps = fps
        self._max_gap = max_gap
        self._count = 0
        self._elapsed = 0.0
        self._previous = 0.0
        self._shown = -1

    def show(self, at: float) -> int:
        """Return the next frame's time in the video; at least one more than the last."""
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
    """Add to each frame how long it is shown: until the next; the last as long as the one before.

    Args:
        frames: time in the video and anything, in order of time.

    Yields:
        Time, duration, and the thing that came with it.
    """
    duration = ALONE
    held: tuple[int, T] | None = None
    for time, thing in frames:
        if held is not None:
            duration = time - held[0]
            yield held[0], duration, held[1]
        held = time, thing
    if held is not None:
        yield held[0], duration, held[1]
