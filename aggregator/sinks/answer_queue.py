"""The queue of callbacks: accepted sessions first, and neither kind blocks the other."""

import heapq
import itertools
import threading
from dataclasses import dataclass, field

REFUSED_SHARE = 0.5
"""Share of the capacity for answers of refused sessions; a flood of them leaves room for accepted
ones."""


@dataclass(slots=True, eq=False)
class WaitingAnswer:
    """An answer that waits or is being delivered: its bytes, the monotonic time of the next try."""

    session: str
    size: int
    accepted: bool
    due: float
    tries: int = 0


@dataclass(slots=True)
class AnswerLane:
    """The answers of one kind.

    Attributes:
        waiting: heap of (due, number, answer); the number orders equal times.
        bytes: size of all its answers, including those in flight.
    """

    waiting: list[tuple[float, int, WaitingAnswer]] = field(default_factory=list)
    in_flight: int = 0
    bytes: int = 0


class AnswerQueue:
    """Two lanes of answers, each ordered by due time. Thread-safe.

    A free courier takes an answer of an accepted session first. One lane never occupies all
    couriers. So with a slow receiver accepted answers do not wait for refused ones, and accepted
    ones do not starve refused ones.

    Args:
        capacity: bytes of all answers together.
        couriers: answers that may be in flight at the same time, at least 2.
    """

    def __init__(self, capacity: int, couriers: int) -> None:
        self._capacity = capacity
        self._couriers = couriers
        self._lanes = {True: AnswerLane(), False: AnswerLane()}
        self._number = itertools.count()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Size of all answers, including those in flight."""
        with self._lock:
            return sum(lane.bytes for lane in self._lanes.values())

    def has_room(self, size: int, *, accepted: bool) -> bool:
        """Return whether one more answer fits."""
        with self._lock:
            refused = self._lanes[False].bytes
            if not accepted and refused + size > self._capacity * REFUSED_SHARE:
                return False
            return self._lanes[True].bytes + refused + size <= self._capacity

    def add(self, answer: WaitingAnswer) -> None:
        """Add an answer without checking for room: an earlier process may have left it."""
        with self._lock:
            self._lanes[answer.accepted].bytes += answer.size
            self._push(answer)

    def take(self, now: float) -> WaitingAnswer | None:
        """Return the next answer due at a monotonic time; None without one or a free courier."""
        with self._lock:
            for lane in self._open_lanes():
                if lane.waiting[0][0] <= now:
                    lane.in_flight += 1
                    return heapq.heappop(lane.waiting)[2]
        return None

    def retry(self, answer: WaitingAnswer, due: float) -> None:
        """Put an undelivered answer back for another try at a monotonic time."""
        answer.due = due
        with self._lock:
            self._lanes[answer.accepted].in_flight -= 1
            self._push(answer)

    def remove(self, answer: WaitingAnswer) -> None:
        """Remove an answer that was delivered or given up."""
        with self._lock:
            lane = self._lanes[answer.accepted]
            lane.in_flight -= 1
            lane.bytes -= answer.size

    def next_due(self) -> float | None:
        """Return the monotonic time of the next try; None until an answer is added or finished."""
        with self._lock:
            return min((lane.waiting[0][0] for lane in self._open_lanes()), default=None)

    def _open_lanes(self) -> list[AnswerLane]:
        """Return lanes with a waiting answer and a free courier, accepted sessions first."""
        if sum(lane.in_flight for lane in self._lanes.values()) >= self._couriers:
            return []
        return [
            lane
            for lane in self._lanes.values()
            if lane.waiting and lane.in_flight < self._couriers - 1
        ]

    def _push(self, answer: WaitingAnswer) -> None:
        lane = self._lanes[answer.accepted]
        heapq.heappush(lane.waiting, (answer.due, next(self._number), answer))
