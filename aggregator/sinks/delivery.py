"""Distributes events to the sinks and tracks up to which event each session is settled."""

from collections.abc import Sequence

from aggregator.sinks.events import Event
from aggregator.sinks.writer import Sink, Writer
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Settled
from shared.wire.records import END

CLOSE_SECONDS = 5.0
"""Time to write queued events when the process ends."""
MAX_MARKS = 1000
"""Sessions in one message, to keep it small."""


class Effects:
    """The sinks of one aggregator; ``capacity`` bytes may wait for each.

    An event is settled once every sink has made it durable, or has dropped and counted it. The
    gateway retains events that are not settled and sends them again to the next aggregator.
    """

    def __init__(self, sinks: Sequence[Sink], capacity: int, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._writers = [Writer(sink, capacity, clock=clock) for sink in sinks]
        self._marks: dict[str, list[int]] = {}
        self._reported: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether there is any sink."""
        return bool(self._writers)

    def put(self, event: Event) -> None:
        """Queue an event for every sink; never blocks."""
        session = event.info.session
        self._marks.setdefault(session, [0] * len(self._writers))
        queued = [writer.put(event) for writer in self._writers]
        if event.seq == END and not all(queued):
            self.forget(session)  # it would never be settled

    def settled(self) -> Settled:
        """Take what was settled since the last call, at most ``MAX_MARKS`` sessions at a time."""
        changed: set[str] = set()
        for number, writer in enumerate(self._writers):
            while writer.done and len(changed) < MAX_MARKS:
                session, seq = writer.done.popleft()
                if (known := self._marks.get(session)) is not None:
                    known[number] = seq
                    changed.add(session)
        marks = tuple((session, mark) for session in changed if (mark := self._new_mark(session)))
        return Settled(marks, tuple(writer.health for writer in self._writers))

    def _new_mark(self, session: str) -> int:
        """Return up to which event a session is settled; 0 if that was reported before."""
        mark = min(self._marks[session])
        if mark <= self._reported.get(session, 0):
            return 0
        if mark == END:
            del self._marks[session]
            self._reported.pop(session, None)
        else:
            self._reported[session] = mark
        return mark

    def forget(self, session: str) -> None:
        """Stop reporting a session, such as one that continues on another machine."""
        self._marks.pop(session, None)
        self._reported.pop(session, None)

    def close(self) -> None:
        """Write queued events for at most ``CLOSE_SECONDS``."""
        deadline = self._clock.monotonic() + CLOSE_SECONDS
        for writer in self._writers:
            writer.stop()
        for writer in self._writers:
            writer.join(max(0.0, deadline - self._clock.monotonic()))
