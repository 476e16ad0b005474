"""A thread that writes events for one plugin, behind a bounded queue that never blocks judging."""

from __future__ import annotations

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

REST_SECONDS = 0.5
"""Pause between two calls of ``rest`` while nothing is to be written."""


Item = tuple[tuple[str, int], Event | None]
"""An event's session and number, and the event, or None for an end that found no room."""


class Sink(Protocol):
    """Where a plugin's events go. All methods are called by the writer's thread.

    Attributes:
        name: the plugin's name.
    """

    name: str

    @property
    def dropped(self) -> int:
        """Pictures and events that were given up since the start."""

    @property
    def disabled(self) -> bool:
        """It cannot write where it should for now."""

    @property
    def waiting(self) -> int:
        """Bytes it holds that are not where they belong yet."""

    def write(self, event: Event) -> None:
        """Make an event durable, or give it up and count that; the same event again is harmless."""

    def rest(self) -> None:
        """Do what is due beside events: deliver a spool, remove what is old."""

    def close(self) -> None:
        """Give back what is held."""


class Writer:
    """Runs a sink.

    Args:
        sink: where the events go.
        capacity: bytes that may wait. A frame over that loses its picture, over twice that it is
            lost altogether; a session's end is lost over four times that only. Even then it keeps
            its place in the queue, so that its session is settled in the end.
        clock: times the calls of ``rest``.

    Attributes:
        done: keys of the events that are written, or given up; whoever reads them takes them away.
    """

    def __init__(self, sink: Sink, capacity: int, *, clock: Clock = SYSTEM) -> None:
        self._sink = sink
        self._clock = clock
        self._capacity = capacity
        self._queue: deque[Item] = deque()
        self._bytes = 0
        self._lost = 0
        self._faults = 0
        self._wake = threading.Condition()
        self._stopping = False
        self.done: deque[tuple[str, int]] = deque()
        self._thread = threading.Thread(target=self._run, name=sink.name, daemon=True)
        self._thread.start()

    @property
    def health(self) -> SinkHealth:
        """How the plugin fares."""
        sink = self._sink
        return SinkHealth(
            sink.name, sink.dropped + self._lost, self._bytes + sink.waiting, sink.disabled
        )

    def put(self, event: Event) -> None:
        """Queue an event; never waits."""
        key = (event.info.session, event.seq)
        with self._wake:
            fitting = self._fitting(event)
            if fitting is not None:
                self._bytes += fitting.size
            else:
                self._lost += 1
            if fitting is not None or event.seq == END:
                self._queue.append((key, fitting))
                self._wake.notify()

    def _fitting(self, event: Event) -> Event | None:
        """As much of an event as there is room for."""
        if self._bytes + event.size > self._capacity:
            event = event.without_pictures()
        most = self._capacity * (4 if isinstance(event, SessionEnded) else 2)
        return event if self._bytes + event.size <= most else None

    def stop(self) -> None:
        """Let the thread end once it has written what is queued."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self, seconds: float) -> None:
        """Await the thread's end, for so long at most."""
        self._thread.join(seconds)

    def _run(self) -> None:
        rested = 0.0
        while True:
            item = self._next()
            if item is not None:
                key, event = item
                if event is not None:
                    self._guard(partial(self._sink.write, event))
                self.done.append(key)
            elif self._stopping:
                self._guard(self._sink.close)
                return
            if self._clock.monotonic() - rested >= REST_SECONDS:
                self._guard(self._sink.rest)
                rested = self._clock.monotonic()

    def _next(self) -> Item | None:
        """Take the oldest item; None after a pause, or when the thread is to end."""
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(REST_SECONDS)
            if not self._queue:
                return None
            key, event = self._queue.popleft()
            if event is not None:
                self._bytes -= event.size
            return key, event

    def _guard(self, work: Callable[[], None]) -> None:
        """Outlive whatever a sink raises; a fault that stays is told ever more rarely."""
        try:
            work()
        except Exception:
            self._lost += 1
            self._faults += 1
            if self._faults & (self._faults - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
                log.exception("%s failed (fault %d)", self._sink.name, self._faults)
