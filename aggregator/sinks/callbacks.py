"""Callbacks: POSTs the final answer to a URL, signed, with retries."""

import json
from pathlib import Path

from aggregator.sinks.answer_folder import AnswerFolder
from aggregator.sinks.answer_queue import AnswerQueue, WaitingAnswer
from aggregator.sinks.couriers import Couriers, log_given_up
from aggregator.sinks.events import Event, FrameJudged, SessionEnded
from shared.config.plugins import CallbacksArgs
from shared.process.clock import SYSTEM, Clock

MARKER_SECONDS = 7200.0
"""Time for which a delivered answer is remembered, so that a replay does not repeat it."""
PRUNE_SECONDS = 60.0
"""Pause between two removals of old markers."""


def body_of(ended: SessionEnded) -> bytes:
    """Return the body of the POST: the client's answer with the session and the time."""
    answer = json.loads(ended.result)["body"]
    return json.dumps({"session": ended.info.session, "at": ended.at, **answer}).encode()


class Callbacks:
    """Sink of the plugin: writes answers to files, from which couriers deliver them.

    Raises:
        StartupError: the queue's folder cannot be used.
    """

    name = "Callbacks"

    def __init__(self, args: CallbacksArgs, *, clock: Clock = SYSTEM) -> None:
        self._args = args
        self._clock = clock
        self._folder = AnswerFolder(Path(args.queuePath))
        self._queue = AnswerQueue(args.queueBytes, args.couriers)
        for session, size, accepted in self._folder.stored():
            self._queue.add(WaitingAnswer(session, size, accepted, clock.monotonic()))
        self._not_queued = 0
        self._pruned_at = float("-inf")
        self._couriers = Couriers(args, self._folder, self._queue, clock)

    @property
    def dropped(self) -> int:
        """Answers given up since the start."""
        return self._not_queued + self._couriers.given_up

    @property
    def disabled(self) -> bool:
        """Whether the last try failed, or none is made any more."""
        return self._couriers.failing

    @property
    def waiting(self) -> int:
        """Bytes of the waiting answers."""
        return self._queue.bytes

    def write(self, event: Event) -> None:
        """Store a session's answer until it is delivered."""
        if isinstance(event, FrameJudged) or not (event.frames or self._args.withoutFrames):
            return
        session, accepted = event.info.session, event.accepted
        if self._folder.knows(session):
            return  # the event is repeated after a restart
        body = body_of(event)
        if not self._queue.has_room(len(body), accepted=accepted):
            self._refuse(session, "the queue is full")
            return
        try:
            self._folder.add(session, body)
        except OSError as error:
            self._refuse(session, f"it cannot be stored: {error.strerror}")
            return
        self._queue.add(WaitingAnswer(session, len(body), accepted, self._clock.monotonic()))
        self._couriers.wake()

    def maintain(self) -> None:
        """Remove old markers."""
        if self._clock.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._clock.monotonic()
            self._folder.remove_markers(self._clock.wall() - MARKER_SECONDS)

    def close(self) -> None:
        """Stop the delivery; waiting answers stay for the next aggregator."""
        self._couriers.stop()
        self._folder.close()

    def _refuse(self, session: str, why: str) -> None:
        self._not_queued += 1
        log_given_up(session, why)
