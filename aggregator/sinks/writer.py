"""A thread that writes the events of one sink, behind a bounded queue that never blocks."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from aggregator.sinks.events import Event, SessionEnded
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import SinkHealth
from shared.wire.records import END

log = logging.getLogger(__name__)

MAINTENANCE_SECONDS = 0.5
"""Pause between two calls of ``maintain``."""


MAX_QUEUED = 100_000
"""Length of the queue up to which a dropped end is queued as a key; some 20 MB of keys."""

Item = tuple[tuple[str, int], Event | None]
"""An event's session and number, and the event; None for a session's end that did not fit."""


class Sink(Protocol):
    """Receives events. The writer's thread calls all methods."""

    name: str

    @property
    def dropped(self) -> int:
        """Number of images and events dropped since the start."""

    @property
    def disabled(self) -> bool:
        """Whether its destination currently fails."""

    @property
    def waiting(self) -> int:
        """Bytes that are not delivered yet."""

    def write(self, event: Event) -> None:
        """Make an event durable, or drop and count it. Must be idempotent."""

    def maintain(self) -> None:
        """Do periodic work, such as delivering a spool or removing old files."""

    def close(self) -> None:
        """Release all resources."""


class Writer:
    """Runs a sink.

    Args:
        capacity: bytes that may wait. A frame beyond it loses its images, and beyond twice as much
            it is dropped; a session's end is dropped beyond four times as much. A dropped end stays
            in the queue as a key, so that its session is settled eventually, if the queue is not
            longer than ``MAX_QUEUED``.

    Attributes:
        done: keys of the events that are written or dropped; the reader removes them.
    """

    def __init__(self, sink: Sink, capacity: int, *, clock: Clock = SYSTEM) -> None:
        self._sink = sink
        self._clock = clock
        self._capacity = capacity
        self._queue: deque[Item] = deque()
        self._bytes = 0
        self._lost = 0
        self._failures = 0
        self._wake = threading.Condition()
        self._stopping = False
        self.done: deque[tuple[str, int]] = deque()
        self._thread = threading.Thread(target=self._run, name=sink.name, daemon=True)
        self._thread.start()

    @property
    def health(self) -> SinkHealth:
        """The counters of the sink and of its queue."""
        sink = self._sink
        return SinkHealth(
            sink.name, sink.dropped + self._lost, self._bytes + sink.waiting, sink.disabled
        )

    def put(self, event: Event) -> bool:
        """Queue an event or at least its key; never blocks.

        Returns:
            False if neither was queued, so that it is never among ``done``.
        """
        key = (event.info.session, event.seq)
        with self._wake:
            shrunk = self._shrink_to_fit(event)
            if shrunk is not None:
                self._bytes += shrunk.size
            else:
                self._lost += 1
            if shrunk is None and (event.seq != END or len(self._queue) >= MAX_QUEUED):
                return False
            self._queue.append((key, shrunk))
            self._wake.notify()
            return True

    def _shrink_to_fit(self, event: Event) -> Event | None:
        """Return the event, or the event without images, or None, depending on the free room."""
        if self._bytes + event.size > self._capacity:
            event = event.without_images()
        limit = self._capacity * (4 if isinstance(event, SessionEnded) else 2)
        return event if self._bytes + event.size <= limit else None

    def stop(self) -> None:
        """Make the thread end after it has written the queue."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, at most so many seconds."""
        self._thread.join(seconds)

    def _run(self) -> None:
        maintained_at = 0.0
        while True:
            item = self._next()
            if item is not None:
                key, event = item
                if event is not None:
                    self._call_safely(partial(self._sink.write, event))
                self.done.append(key)
            elif self._stopping:
                self._call_safely(self._sink.close)
                return
            if self._clock.monotonic() - maintained_at >= MAINTENANCE_SECONDS:
                self._call_safely(self._sink.maintain)
                maintained_at = self._clock.monotonic()

    def _next(self) -> Item | None:
        """Take the oldest item; None after a pause, or when the thread should end."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(MAINTENANCE_SECONDS)
            if not self._queue:
                return None
            key, event = self._queue.popleft()
            if event is not None:
                self._bytes -= event.size
            return key, event

    def _call_safely(self, method: Callable[[], None]) -> None:
        """Call a method of the sink; catch, count and log its exceptions."""
        try:
            method()
        except Exception:
            self._lost += 1
            self._failures += 1
            if self._failures & (self._failures - 1) == 0:  # log the 1st, 2nd, 4th, 8th ...
                log.exception("%s failed (%d times so far)", self._sink.name, self._failures)
