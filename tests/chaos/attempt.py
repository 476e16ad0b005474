"""One attempt as read from its history: which frames got which answers, and which verdicts came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.history import Event, Kind


@dataclass
class SentFrame:
    """A frame and the answers to it.

    Attributes:
        seq: number it must have at the service.
        number: number in its pixels.
        sent: time at which it was sent.
        connection: connection on which it was sent.
        cut: time at which that connection ended without an answer; None otherwise.
        lost: the service reported, on resumption, that it never received it.
        answers: STATUS and DROPPED events for it.
    """

    seq: int
    number: int
    sent: float
    connection: int
    cut: float | None = None
    lost: bool = False
    answers: list[Event] = field(default_factory=list)

    @property
    def status(self) -> Event | None:
        """The first STATUS for it."""
        return next((a for a in self.answers if a.kind is Kind.STATUS), None)

    @property
    def uncertain(self) -> bool:
        """Whether it may have been judged without the client's knowledge."""
        late = any(a.kind is Kind.DROPPED and a.body == "deadline" for a in self.answers)
        return not self.lost and (late or not self.answers)


@dataclass
class Attempt:
    """One person's attempt.

    Attributes:
        person: its number.
        frames: every frame sent, in order.
        strays: answers to frames that were never sent.
        results: RESULT events.
        left: the client gave up on purpose.
        lost: the service refused to resume the session.
    """

    person: int
    frames: list[SentFrame] = field(default_factory=list)
    strays: list[Event] = field(default_factory=list)
    results: list[Event] = field(default_factory=list)
    left: bool = False
    lost: bool = False

    @classmethod
    def read(cls, person: int, events: Iterable[Event]) -> Attempt:
        """Read an attempt's events."""
        attempt, current = cls(person), dict[int, SentFrame]()
        for event in events:
            attempt._take(event, current)
        return attempt

    def _take(self, event: Event, current: dict[int, SentFrame]) -> None:
        match event.kind:
            case Kind.CONNECTED:
                for seq in [seq for seq in current if seq > event.seq]:
                    current.pop(seq).lost = True
            case Kind.SENT:
                frame = SentFrame(event.seq, event.body, event.at, event.connection)
                self.frames.append(frame)
                current[event.seq] = frame
            case Kind.STATUS | Kind.DROPPED:
                found = current.get(event.seq)
                (self.strays if found is None else found.answers).append(event)
            case Kind.CLOSED:
                for frame in current.values():
                    if frame.connection == event.connection and not frame.answers:
                        frame.cut = event.at
            case Kind.RESULT:
                self.results.append(event)
            case Kind.LEFT:
                self.left = True
            case Kind.LOST:
                self.lost = True
