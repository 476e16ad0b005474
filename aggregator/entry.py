"""What the aggregator stores per session, and per frame in progress."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from functools import cached_property

from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from aggregator.sinks.events import FrameJudged, SessionEnded, SessionInfo
from shared.codes import Code
from shared.errors import MessageError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Judge, decode_estimate
from shared.wire.records import Answers, History, Judged

log = logging.getLogger(__name__)

NOT_JUDGED = Outcome((), final=False, accepted=False, keep=False, profile=Profile.PASSIVE)
"""Outcome of a session before its first frame."""


@dataclass
class Pending:
    """A frame that is being judged for the gateway ``peer``, since monotonic time ``started``."""

    peer: bytes | None
    message: Judge
    estimate: Estimate
    started: float
    question: asyncio.Task[bytes | None] | None = None

    @classmethod
    def of(cls, peer: bytes, message: Judge, started: float) -> Pending:
        """Decode a request; an invalid estimate counts as an estimation failure."""
        try:
            estimate = decode_estimate(message.estimate)
        except MessageError as error:
            log.error("unreadable estimate: %s", error)
            estimate = Estimate(0, 0, Profile.PASSIVE, Stage.FACES, (Code.ESTIMATION_FAILED,))
        return cls(peer, message, estimate, started)

    def record(self, answers: Answers) -> Judged:
        """Return the frame's entry in the session's log, with the answers to its questions."""
        message = self.message
        times = message.wall, message.prompted
        return Judged(message.seq, message.at, message.estimate, answers, *times)


@dataclass
class Entry:
    """A session's state together with the events that led to it.

    Attributes:
        opened_at: monotonic time of its opening, by this process's clock.
        touched: monotonic time of the last message about it.
        pending: the frame that waits for an external answer.
        result: text of RESULT, once there is a verdict.
        last_status: text of the last STATUS, to repeat it.
        settled: number of the last frame whose side effects are done; ``END`` for all.
        pixels: number and pixel digest of each frame that has a digest.
        uncommitted_end: the session's end, until the gateway commits the verdict.
    """

    session: JudgedSession
    open_bytes: bytes
    opened_at: float
    touched: float
    registry: Registry | None = None
    judged: list[Judged] = field(default_factory=list)
    best_shot: BestShot | None = None
    pending: Pending | None = None
    result: str | None = None
    last_status: str = ""
    last_outcome: Outcome = NOT_JUDGED
    settled: int = 0
    decoded_frames: int = 0
    pixels: list[tuple[int, bytes]] = field(default_factory=list)
    uncommitted_end: SessionEnded | None = None

    @cached_property
    def info(self) -> SessionInfo:
        """The session's description for the sinks."""
        opened, context = self.session.opened, self.session.context
        start = json.loads(opened.start)
        if opened.start_id:
            start["jti"] = opened.start_id
        return SessionInfo(
            opened.session, opened.at, opened.mirrored, context.client, opened.opener, start
        )

    def time_of(self, moment: float) -> float:
        """Convert a monotonic time to session time, at least that of the last event."""
        return max(self.session.opened.at + (moment - self.opened_at), self.session.context.now)

    @property
    def best_score(self) -> float | None:
        """Liveness score of the best shot, if other frames' judged pixels are not used."""
        best = self.session.context.best
        if best is None or best.liveness is None or self.registry is None:
            return None
        return best.liveness.score if self.registry.uses_only_best else None

    @property
    def history(self) -> History:
        """What a new gateway needs to continue the session."""
        return History(self.open_bytes, self.judged, self.best_shot)

    def lacks(self, seq: int) -> bool:
        """Return whether it needs judged frames up to a number that have not arrived here."""
        return self.result is None and seq > self.session.last_seq

    def frame_event(self, pending: Pending, outcome: Outcome) -> FrameJudged:
        """Return the event of a judged frame."""
        message = pending.message
        return FrameJudged(
            self.info,
            message.seq,
            message.at,
            pending.estimate,
            outcome.errors,
            message.received,
            message.shot,
        )

    def end_event(self, outcome: Outcome) -> SessionEnded:
        """Return the event of the session's end."""
        context = self.session.context
        return SessionEnded(
            self.info,
            context.now,
            outcome.accepted,
            outcome.errors,
            context.best_seq,
            self.decoded_frames,
            (self.result or "").encode(),
            dict(context.data),
            context.best_shot,
            self.session.policy.claim(self.session.bases) if self.session.bases else None,
            tuple(self.pixels),
        )

    def drop_question(self) -> None:
        """Cancel the open question, if any."""
        pending, self.pending = self.pending, None
        if pending is not None and pending.question is not None:
            pending.question.cancel()
