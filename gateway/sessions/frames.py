"""The frames of sessions, from receipt to answer: the newest waits, one is under way.

A client gets exactly one answer for each frame: the aggregator's status, that it is unreadable, or
why it was dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gateway import metrics
from gateway.pool.dispatch import Dispatcher
from gateway.sessions.judgement import JudgementLink
from gateway.sessions.refused_frames import RefusedFrameLog
from gateway.sessions.session import PendingFrame, Session
from gateway.sessions.unsettled import Unsettled
from gateway.web.inflow import HeldBytes
from shared.codes import Code
from shared.config.service import Config
from shared.errors import FrameError
from shared.frame import intake
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement
from shared.wire.protocol import Codec, Command, Drop
from shared.wire.records import Judged

RECEIVED = metrics.RECEIVED.labels()
JUDGED = metrics.FRAMES.labels("judged", "")
REFUSED = metrics.FRAMES.labels("refused", metrics.UNREADABLE)
UNREADABLE_STATUS = {"isOk": False, "errors": [Code.FRAME_UNDECODABLE], "details": {}}
"""Body of STATUS for a frame that is no acceptable image."""

Trace = Callable[[Session, PendingFrame, float], None]


class Frames:
    """Takes frames in, has them estimated and judged, and answers.

    Args:
        config: the configuration.
        pool: has frames estimated.
        link: asks the aggregator for verdicts.
        unsettled: retains the images that a side-effect plugin may still need.
        held: counts the bytes of the frames; None counts them for these frames alone.
        trace: called with each judged frame and the monotonic time of its answer.
        clock: stamps the frames as they arrive.
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
        """Turn pictures from now on as a reloaded configuration says."""
        self._rotation = config.CHECKS.rotate

    def accept(self, session: Session, data: bytes) -> None:
        """Take a frame; the newest replaces one that still waits."""
        now = self._monotonic()
        session.seq += 1
        RECEIVED.inc()
        if session.released or session.closing:
            self._say_dropped(session, session.seq, Drop.ENDED)
        elif not session.bucket.admit(now):
            self._say_dropped(session, session.seq, Drop.RATE)
        else:
            self._take(session, data, now)
            metrics.RECEIVE.observe(self._monotonic() - now)

    def _take(self, session: Session, data: bytes, now: float) -> None:
        """Let a frame wait if its header is acceptable."""
        try:
            header = intake.judge(data, self._limits).turned(self._rotation)
        except FrameError as error:
            self._refuse(session, session.seq, error)
            return
        if not self._held.has_room(session.address, len(data)):
            self._say_dropped(session, session.seq, Drop.RATE)
            return
        if session.waiting is not None:
            self._drop(session, session.waiting, Drop.REPLACED)
        deadline = now + self._limits.frameDeadline
        session.waiting = PendingFrame(
            session.seq, data, header, now, deadline, rotation=self._rotation
        )
        self._held.hold_for(session.waiting, session.address, len(data))
        self.advance(session)

    def _refuse(self, session: Session, seq: int, error: FrameError) -> None:
        """Answer a frame that is no acceptable picture.

        It says nothing of the person, so it takes no part in judging: the aggregator is not asked,
        and the session's log does not grow. Else such frames, which cost a client nothing, would
        hold up those of others.
        """
        self._refusals.add(session, seq, error, self._monotonic())
        REFUSED.inc()
        if session.outlet is not None:
            session.outlet.send(Codec.encode(Command.STATUS, {"seq": seq}, UNREADABLE_STATUS))

    def refuse(self, session: Session, frame: PendingFrame, error: FrameError) -> None:
        """Answer the frame under way, which turned out to be no acceptable picture."""
        if session.active is not frame:
            return
        session.active = None
        if not frame.answered:
            frame.answered = True
            self._refuse(session, frame.seq, error)
        self.advance(session)

    def advance(self, session: Session) -> None:
        """Put a session in line for a worker, if its waiting frame may begin."""
        if session.dispatchable:
            self._pool.submit(session)

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        """Take a frame's estimate and ask for its verdict."""
        if session.active is not frame:
            return
        if frame.answered:  # its deadline has passed: what the client was told stays true
            session.active = None
            self.advance(session)
            return
        frame.estimate = estimate
        frame.at, frame.wall = session.time_of(frame.received), session.wall_of(frame.received)
        frame.asked = session.asked = self._monotonic()
        self._link.judge(session, frame)

    def judged(self, session: Session, verdict: Judgement) -> None:
        """Note the verdict on the frame under way; a late one of another frame changes nothing.

        Its answer is sent by ``answer``, once that may leave.
        """
        frame = session.active
        if frame is None or frame.seq != verdict.seq or frame.estimate is None:
            return
        judged = Judged(frame.seq, frame.at, frame.estimate, verdict.answers, frame.wall)
        session.log.append(judged)
        self._unsettled.keep(session, frame)
        if verdict.keep and frame.shot is not None:
            session.kept = frame.shot
        session.active = None
        session.profile = verdict.profile
        if not frame.answered:
            session.unsent = (frame, verdict.status)

    def answer(self, session: Session) -> None:
        """Send the answer on the last judged frame, if it is not sent."""
        if session.unsent is None:
            return
        (frame, status), session.unsent = session.unsent, None
        frame.answered = True
        now = self._monotonic()
        JUDGED.inc()
        metrics.JUDGE.observe(now - frame.asked)
        metrics.ANSWER.observe(now - frame.received)
        metrics.ANSWERS.observe(now - frame.received, now)
        if self._trace is not None:
            self._trace(session, frame, now)
        if session.outlet is not None:
            session.outlet.send(status)

    def sweep(self, sessions: Iterable[Session], now: float) -> None:
        """Answer what is past its deadline."""
        for session in sessions:
            for frame in (session.active, session.waiting):
                if frame is not None and not frame.answered and now > frame.deadline:
                    self._drop(session, frame, Drop.DEADLINE)
                    if frame is session.waiting:
                        session.waiting = None

    def end(self, session: Session) -> None:
        """Answer what is left of a session that has its verdict."""
        for frame in (session.active, session.waiting):
            if frame is not None and not frame.answered:
                self._drop(session, frame, Drop.ENDED)
        session.active = session.waiting = None

    def _drop(self, session: Session, frame: PendingFrame, reason: Drop) -> None:
        frame.answered = True
        self._say_dropped(session, frame.seq, reason)

    def _say_dropped(self, session: Session, seq: int, reason: Drop) -> None:
        metrics.FRAMES.labels("dropped", reason.value).inc()
        if session.outlet is not None:
            text = Codec.encode(Command.DROPPED, {"seq": seq, "reason": reason.value})
            session.outlet.send(text)
