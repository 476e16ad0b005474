"""The frames of sessions, from receipt to answer: the newest waits, one is in flight.

A client gets at most one answer to each frame, and exactly one while it is connected: the
aggregator's status, that the frame is unreadable, or why it was dropped.
"""

import logging
from collections.abc import Callable, Iterable

from gateway import metrics
from gateway.limits.inflow import HeldBytes
from gateway.pool.dispatch import Dispatcher
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.refused_frames import RefusedFrameLog
from gateway.sessions.unsettled import Unsettled
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.codes import Code
from shared.config.service import Config
from shared.errors import FrameError
from shared.frame import intake
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement
from shared.wire.protocol import Codec, Command, Drop

log = logging.getLogger(__name__)

RECEIVED = metrics.RECEIVED.labels()
JUDGED = metrics.FRAMES.labels("judged", "")
REFUSED = metrics.FRAMES.labels("refused", metrics.UNREADABLE)
UNREADABLE_STATUS = {"isOk": False, "errors": [Code.FRAME_UNDECODABLE], "details": {}}
"""Body of STATUS for a frame that is not a valid image."""

Trace = Callable[[Session, PendingFrame, float], None]


class Frames:
    """Takes frames in, has them estimated and judged, and answers.

    Args:
        held: counts the bytes of the frames; None counts them for these frames alone.
        trace: called with each judged frame and the monotonic time of its answer.
    """

    def __init__(
        self,
        config: Config,
        pool: Dispatcher,
        link: JudgementLink,
        unsettled: Unsettled,
        held: HeldBytes | None = None,
        trace: Trace | None = None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._monotonic = clock.monotonic
        self._limits = config.LIMITS
        self._pool = pool
        self._link = link
        self._unsettled = unsettled
        self._held = HeldBytes(self._limits.heldBytes) if held is None else held
        self._trace = trace
        self._rotation = config.CHECKS.rotate
        self._refusals = RefusedFrameLog()
        pool.report_to(self)

    def renew(self, config: Config) -> None:
        """Rotate images from now on as a reloaded configuration says."""
        self._rotation = config.CHECKS.rotate

    def accept(self, session: Session, data: bytes) -> None:
        """Take a frame; the newest replaces one that still waits."""
        now = self._monotonic()
        RECEIVED.inc()
        reason = session.arrive(now)
        if reason is not None:
            self._send_dropped(session, session.seq, reason)
            return
        self._take(session, data, now)
        metrics.RECEIVE.observe(self._monotonic() - now)

    def _take(self, session: Session, data: bytes, now: float) -> None:
        try:
            header = intake.judge(data, self._limits)
        except FrameError as error:
            self._refuse(session, session.seq, error)
            return
        if self._rotation:
            header = header.turned(self._rotation)
        if not self._held.has_room(session.address, len(data)):
            self._send_dropped(session, session.seq, Drop.RATE)
            return
        deadline = now + self._limits.frameDeadline
        frame = PendingFrame(session.seq, data, header, now, deadline, rotation=self._rotation)
        self._held.hold_for(frame, session.address, len(data))
        _debug("frame received", session, frame.seq, bytes=len(data), format=header.format)
        replaced = session.offer(frame)
        if replaced is not None:
            self._send_dropped(session, replaced.seq, Drop.REPLACED)
        self.advance(session)

    def _refuse(self, session: Session, seq: int, error: FrameError) -> None:
        """Answer a frame that is not a valid image.

        It carries no information about the person, so it is not judged: the aggregator is not
        asked, and the session's log does not grow. Otherwise such frames, which cost a client
        nothing, would delay those of others.
        """
        self._refusals.add(session, seq, error, self._monotonic())
        REFUSED.inc()
        if session.outlet is not None:
            session.outlet.send(Codec.encode(Command.STATUS, {"seq": seq}, UNREADABLE_STATUS))

    def refuse(self, session: Session, frame: PendingFrame, error: FrameError) -> None:
        """Answer the frame in flight, which turned out not to be a valid image."""
        if session.active is not frame:
            return
        if session.discard():
            self._refuse(session, frame.seq, error)
        self.advance(session)

    def advance(self, session: Session) -> None:
        """Put a session in line for a worker, if its waiting frame may start."""
        if session.dispatchable:
            self._pool.submit(session)

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        """Take a frame's estimate and ask for its judgement."""
        if session.active is not frame:
            return
        if frame.answered:  # its deadline has passed, and the client got DROPPED
            session.discard()
            self.advance(session)
            return
        self._link.judge(session, session.estimated(estimate))

    def judged(self, session: Session, judgement: Judgement) -> bool:
        """Take the judgement of the frame in flight; ``answer`` sends its answer.

        Returns:
            Whether it was taken; False if it came before, or is of another frame.
        """
        frame = session.judged(judgement)
        if frame is None:
            return False
        metrics.JUDGE.observe(frame.judged - frame.asked)
        self._unsettled.keep(session, frame)
        return True

    def answer(self, session: Session) -> None:
        """Send the answer to the last judged frame, unless it was sent."""
        unsent = session.answer()
        if unsent is None:
            return
        frame, status = unsent
        now = self._monotonic()
        JUDGED.inc()
        if session.opened.commits:  # else the answer is sent as soon as the judgement comes
            metrics.STORE.observe(now - frame.judged)
        metrics.ANSWER.observe(now - frame.received)
        metrics.ANSWERS.observe(now - frame.received, now)
        if self._trace is not None:
            self._trace(session, frame, now)
        milliseconds = round(1000 * (now - frame.received), 1)
        _debug("frame answered", session, frame.seq, milliseconds=milliseconds)
        if session.outlet is not None:
            session.outlet.send(status)

    def sweep(self, sessions: Iterable[Session], now: float) -> None:
        """Drop the frames that are past their deadline."""
        for session in sessions:
            self.drop(session, session.drop_overdue(now), Drop.DEADLINE)

    def drop(self, session: Session, frames: Iterable[PendingFrame], reason: Drop) -> None:
        """Answer frames that will not be judged; their session has dropped them."""
        for frame in frames:
            self._send_dropped(session, frame.seq, reason)

    def _send_dropped(self, session: Session, seq: int, reason: Drop) -> None:
        metrics.FRAMES.labels("dropped", reason.value).inc()
        _debug("frame dropped", session, seq, reason=reason.value)
        if session.outlet is not None:
            text = Codec.encode(Command.DROPPED, {"seq": seq, "reason": reason.value})
            session.outlet.send(text)


def _debug(text: str, session: Session, seq: int, **more: object) -> None:
    """Log a line about a frame at level 2."""
    if log.isEnabledFor(logging.DEBUG):
        log.debug(text, extra=session.fields(seq=seq, **more))
