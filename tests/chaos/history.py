"""What the clients observed: one list of events in chronological order."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a client did or observed."""

    CONNECTED = "connected"
    SENT = "sent"
    STATUS = "status"
    DROPPED = "dropped"
    RESULT = "result"
    ERROR = "error"
    CLOSED = "closed"
    LEFT = "left"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one person's attempt.

    Attributes:
        at: monotonic time in seconds.
        person: number of the attempt; one attempt is one session.
        kind: what happened. ``LEFT``: the client gave up on purpose; ``LOST``: the service no
            longer knew the session of a client that stayed.
        connection: which connection of the attempt, from 1.
        seq: of CONNECTED the number of frames received so far; otherwise the frame's number.
        body: of SENT the number stamped into the image; otherwise the content of the message.
    """

    at: float
    person: int
    kind: Kind
    connection: int = 1
    seq: int = 0
    body: Any = None


@dataclass
class History:
    """Recorder of events."""

    events: list[Event] = field(default_factory=list)

    def add(
        self, person: int, kind: Kind, *, connection: int = 1, seq: int = 0, body: Any = None
    ) -> None:
        """Record an event that happens now."""
        self.events.append(Event(time.monotonic(), person, kind, connection, seq, body))

    def attempts(self) -> dict[int, list[Event]]:
        """Events of each person, in order."""
        by_person: dict[int, list[Event]] = {}
        for event in self.events:
            by_person.setdefault(event.person, []).append(event)
        return by_person
