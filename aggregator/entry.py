"""What the aggregator keeps of a session, and of a frame whose judgement is under way."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import cached_property

from aggregator.session import JudgedSession, Outcome
from aggregator.sinks.events import FrameJudged, SessionEnded, SessionInfo
from shared.codes import Code
from shared.errors import MessageError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Estimate, Profile, Stage
from shared.wire.messages import Judge, decode_estimate
from shared.wire.records import History, Judged

log = logging.getLogger(__name__)


@dataclass
class Pending:
    """A frame that is being judged.

    Attributes:
        peer: gateway that awaits the verdict.
        message: its question.
        estimate: the estimate.
        began: monotonic time of its beginning.
        question: what a plugin asks the outside just now.
    """

    peer: bytes
    message: Judge
    estimate: Estimate
    began: float
    question: asyncio.Task[bytes | None] | None = None

    @classmethod
    def of(cls, peer: bytes, message: Judge, began: float) -> Pending:
        """Take a question; an invalid estimate of a faulty worker counts as a frame not judged."""
        try:
            estimate = decode_estimate(message.estimate)
        except MessageError as error:
            log.error("unreadable estimate: %s", error)
            estimate = Estimate(0, 0, Profile.PASSIVE, Stage.FACES, (Code.ESTIMATION_FAILED,))
        return cls(peer, message, estimate, began)


@dataclass
class Entry:
    """A session's state together with the events it came from.

    Attributes:
        session: the state.
        open_bytes: the packed event that began it.
        begun: monotonic time of its opening, by this process's clock.
        touched: monotonic time of the last message about it.
        judged: the log of the frames.
        kept: the best shot so far.
        pending: frame that waits for an answer from outside.
        result: text of RESULT, once the verdict is given.
        last_status: text of the last STATUS, for a repetition.
        settled: number of the last frame whose side effects are done; ``END`` for all.
        pictures: frames that were judged and could be read.
        unannounced: the session's end, until the gateway says that its verdict is released.
    """

    session: JudgedSession
    open_bytes: bytes
    begun: float
    touched: float
    judged: list[Judged] = field(default_factory=list)
    kept: BestShot | None = None
    pending: Pending | None = None
    result: str | None = None
    last_status: str = ""
    settled: int = 0
    pictures: int = 0
    unannounced: SessionEnded | None = None

    @cached_property
    def info(self) -> SessionInfo:
        """What the side-effect plugins are told of the session."""
        opened, context = self.session.opened, self.session.context
        return SessionInfo(opened.session, opened.at, opened.mirrored, context.client)

    def time_of(self, moment: float) -> float:
        """Time in the session at a monotonic time; never before that of its last event."""
        return max(self.session.opened.at + (moment - self.begun), self.session.context.now)

    @property
    def history(self) -> History:
        """What a gateway that comes anew needs to go on with the session."""
        return History(self.open_bytes, self.judged, self.kept)

    @property
    def last_outcome(self) -> Outcome:
        """What the last frame of an undecided session led to, as far as the gateway needs it."""
        return Outcome(
            errors=(),
            final=False,
            accepted=False,
            keep=self.kept is not None and self.kept.seq == self.session.last_seq,
            profile=self.session.context.profile,
            answers=self.judged[-1].answers if self.judged else (),
        )

    def frame_event(self, pending: Pending, outcome: Outcome) -> FrameJudged:
        """Tell of a judged frame."""
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
        """Tell of the session's end."""
        context = self.session.context
        return SessionEnded(
            self.info,
            context.now,
            outcome.accepted,
            outcome.errors,
            context.best_seq,
            self.pictures,
            (self.result or "").encode(),
            dict(context.data),
            context.best_shot,
        )

    def drop_question(self) -> None:
        """Wait no longer for an answer from outside."""
        pending, self.pending = self.pending, None
        if pending is not None and pending.question is not None:
            pending.question.cancel()
