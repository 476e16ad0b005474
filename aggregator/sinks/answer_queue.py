"""Which answer is delivered next: accepted sessions first, and neither kind blocks the other."""

from __future__ import annotations

import heapq
import itertools
import threading
from dataclasses import dataclass, field

REFUSED_SHARE = 0.5
"""Share of the capacity that answers of refused sessions may fill, so that a flood of them leaves
room for accepted ones."""


@dataclass(slots=True, eq=False)
class WaitingAnswer:
    """An answer that waits for its delivery, or is on its way.

    Attributes:
        session: id of its session.
        size: its bytes.
        accepted: its session succeeded.
        due: monotonic time of the next try.
        tries: tries so far, of this process.
    """

    session: str
    size: int
    accepted: bool
    due: float
    tries: int = 0


@dataclass(slots=True)
class AnswerLine:
    """The answers of one kind.

    Attributes:
        waiting: heap of (due, number, answer); the number keeps the order among equal times.
        under_way: answers that are being delivered.
        bytes: size of all its answers, those under way too.
    """

    waiting: list[tuple[float, int, WaitingAnswer]] = field(default_factory=list)
    under_way: int = 0
    bytes: int = 0


class AnswerQueue:
    """Two lines of answers, each in the order in which they are due.

    A free courier takes an accepted session's answer where one is due. At most all couriers but
    one are with the same line: however slow the receiver is, an accepted answer never waits until
    a refused one is through, and accepted ones never keep the refused ones waiting without end.

    May be used by several threads.

    Args:
        capacity: bytes of all answers together.
        couriers: answers that may be under way at the same time, at least 2.
    """

    def __init__(self, capacity: int, couriers: int) -> None:
        self._capacity = capacity
        self._couriers = couriers
        self._lines = {True: AnswerLine(), False: AnswerLine()}
        self._number = itertools.count()
        self._guard = threading.Lock()

    @property
    def bytes(self) -> int:
        """Size of all answers, those under way too."""
        with self._guard:
            return sum(line.bytes for line in self._lines.values())

    def has_room(self, size: int, *, accepted: bool) -> bool:
        """Tell whether one more answer fits."""
        with self._guard:
            refused = self._lines[False].bytes
            if not accepted and refused + size > self._capacity * REFUSED_SHARE:
                return False
            return self._lines[True].bytes + refused + size <= self._capacity

    def add(self, answer: WaitingAnswer) -> None:
        """Add an answer, whether there is room or not: an earlier process may have left it."""
        with self._guard:
            self._lines[answer.accepted].bytes += answer.size
            self._push(answer)

    def take(self, now: float) -> WaitingAnswer | None:
        """Give the next answer to a courier; None where none is due or no courier is free.

        Args:
            now: monotonic time.
        """
        with self._guard:
            for line in self._open_lines():
                if line.waiting[0][0] <= now:
                    line.under_way += 1
                    return heapq.heappop(line.waiting)[2]
        return None

    def retry(self, answer: WaitingAnswer, due: float) -> None:
        """Take back an answer that was not delivered, for another try at a monotonic time."""
        answer.due = due
        with self._guard:
            self._lines[answer.accepted].under_way -= 1
            self._push(answer)

    def remove(self, answer: WaitingAnswer) -> None:
        """Forget an answer that was delivered or given up."""
        with self._guard:
            line = self._lines[answer.accepted]
            line.under_way -= 1
            line.bytes -= answer.size

    def next_due(self) -> float | None:
        """Monotonic time at which an answer can be taken; None before one is added or finished."""
        with self._guard:
            return min((line.waiting[0][0] for line in self._open_lines()), default=None)

    def _open_lines(self) -> list[AnswerLine]:
        """The lines that have an answer and may have one more courier, accepted sessions first."""
        if sum(line.under_way for line in self._lines.values()) >= self._couriers:
            return []
        return [
            line
            for line in self._lines.values()
            if line.waiting and line.under_way < self._couriers - 1
        ]

    def _push(self, answer: WaitingAnswer) -> None:
        line = self._lines[answer.accepted]
        heapq.heappush(line.waiting, (answer.due, next(self._number), answer))
