"""Spreads events to the side-effect plugins and knows up to where each session is settled."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.sinks.events import Event
from aggregator.sinks.writer import Sink, Writer
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Settled
from shared.wire.records import END

CLOSE_SECONDS = 5.0
"""Time to write what is queued when the process ends."""
MOST_MARKS = 1000
"""Sessions told of at a time, so that the message stays small."""


class Effects:
    """The side-effect plugins of one aggregator.

    An event is settled when every plugin has made it durable or has given it up, counted. The
    gateway keeps what is not settled, and tells it again to the next aggregator.

    Args:
        sinks: the plugins.
        capacity: bytes that may wait for each.
        clock: bounds the end.
    """

    def __init__(self, sinks: Sequence[Sink], capacity: int, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._writers = [Writer(sink, capacity, clock=clock) for sink in sinks]
        self._marks: dict[str, list[int]] = {}
        self._told: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether there is any such plugin."""
        return bool(self._writers)

    def put(self, event: Event) -> None:
        """Queue an event for every plugin; never waits."""
        self._marks.setdefault(event.info.session, [0] * len(self._writers))
        for writer in self._writers:
            writer.put(event)

    def settled(self) -> Settled:
        """Take what has been settled since the last call, or the first part of much."""
        touched: set[str] = set()
        for number, writer in enumerate(self._writers):
            while writer.done and len(touched) < MOST_MARKS:
                session, seq = writer.done.popleft()
                if (known := self._marks.get(session)) is not None:
                    known[number] = seq
                    touched.add(session)
        marks = tuple((session, mark) for session in touched if (mark := self._rise(session)))
        return Settled(marks, tuple(writer.health for writer in self._writers))

    def _rise(self, session: str) -> int:
        """Up to where a session is settled now; 0 when that was told before."""
        mark = min(self._marks[session])
        if mark <= self._told.get(session, 0):
            return 0
        if mark == END:
            del self._marks[session]
            self._told.pop(session, None)
        else:
            self._told[session] = mark
        return mark

    def forget(self, session: str) -> None:
        """Tell no more of a session that goes on at another machine."""
        self._marks.pop(session, None)
        self._told.pop(session, None)

    def close(self) -> None:
        """Write what is queued, for a short while."""
        deadline = self._clock.monotonic() + CLOSE_SECONDS
        for writer in self._writers:
            writer.stop()
        for writer in self._writers:
            writer.join(max(0.0, deadline - self._clock.monotonic()))
