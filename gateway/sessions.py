"""The sessions of this gateway: from CONNECT to the verdict, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from gateway import metrics
from gateway.dispatch import failed_estimate
from gateway.elsewhere import Elsewhere
from gateway.judgement import Answers
from gateway.limits import TokenBucket
from gateway.session import Outlet, PendingFrame, Session, digest, new_identity
from gateway.unsettled import Unsettled
from shared import intake
from shared.cells import prefix
from shared.codes import Code
from shared.config import Config
from shared.errors import FrameError, ProtocolError
from shared.estimation import Profile, Stage
from shared.messages import (
    History,
    Judged,
    Open,
    Opened,
    Resumed,
    Settled,
    SinkHealth,
    Verdict,
    Welcome,
    decode,
)
from shared.protocol import CloseCode, Codec, Command, Drop

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 3.0
"""More than any answer of the aggregator takes, but for questions that it asks others."""

CLIENT_LEFT = "client left"
"""Why a session ends whose client says DISCONNECT."""

JUDGED = metrics.FRAMES.labels("judged", "")


class Sessions:
    """Registry and life cycle of sessions.

    Args:
        config: the configuration.

    The two neighbours are set by the gateway once all three exist: ``submit`` puts a session in
    line for a worker; ``link`` asks the aggregator.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._limits = config.LIMITS
        self._sessions: dict[str, Session] = {}
        self._per_address: Counter[str] = Counter()
        self._unsettled = Unsettled(
            wanted=config.MIDDLEWARES.WS.needs_frames, capacity=self._limits.unsettledBytes
        )
        self.sinks: tuple[SinkHealth, ...] = ()
        self._resuming: dict[tuple[str, bytes], asyncio.Future[Session | None]] = {}
        self._waiting: Counter[tuple[str, bytes]] = Counter()
        self.trace: Callable[[Session, PendingFrame, float], None] | None = None
        self.submit: Callable[[Session], None]
        self.ask_open: Callable[[Session], None]
        self.ask_verdict: Callable[[Session, PendingFrame], None]
        self.ask_close: Callable[[Session, str], None]
        self.ask_resume: Callable[[str, bytes], None]
        self.ask_replay: Callable[[Session], None]
        self.ask_forget: Callable[[Session], None]
        self.elsewhere = Elsewhere()

    def all(self) -> list[Session]:
        """Sessions known now."""
        return list(self._sessions.values())

    def get(self, identity: str) -> Session | None:
        """Session of this gateway by its id."""
        return self._sessions.get(identity)

    @property
    def undecided(self) -> int:
        """Number of sessions without a verdict."""
        return sum(session.result is None for session in self._sessions.values())

    # Beginning

    def begin(self, address: str, *, mirrored: bool, client: str) -> tuple[Session, str]:
        """Make a session.

        Args:
            address: of the client.
            mirrored: its pictures are mirrored.
            client: what it tells of itself, as JSON.

        Returns:
            The session and its resume token, which is kept nowhere but with the client.

        Raises:
            ProtocolError: there are too many sessions, in total or of this address.
        """
        self.require_room()
        if self._per_address[address] >= self._limits.sessionsPerAddress:
            raise ProtocolError(
                "too many sessions from this address",
                code="session.too-many",
                close_code=CloseCode.OVERLOADED,
            )
        identity, token = new_identity(prefix(self._config))
        opened = Open(
            incarnation="",
            session=identity,
            at=time.time(),
            seed=secrets.randbits(63),
            token_digest=digest(token),
            mirrored=mirrored,
            client=client,
        )
        session = self._add(opened, address)
        self.ask_open(session)
        self.elsewhere.note(session)
        return session, token

    def require_room(self) -> None:
        """Make sure that one more session may begin.

        Raises:
            ProtocolError: there are too many in total.
        """
        if self.undecided >= self._limits.sessions:
            raise ProtocolError(
                "the service is full, try again later",
                code="session.full",
                close_code=CloseCode.OVERLOADED,
            )

    def _add(self, opened: Open, address: str) -> Session:
        bucket = TokenBucket(self._limits.framesPerSecond, self._limits.frameBurst)
        session = Session(opened.session, opened, address, bucket, time.monotonic())
        self._sessions[session.id] = session
        session.asked = session.begun
        self._count(address, 1)
        return session

    async def resume(self, identity: str, token: str, address: str) -> Session | None:
        """Find a session by id and resume token; None where there is none, or not by that token.

        The aggregator hands all sessions to a gateway that has just begun. One that is not here yet
        is asked for, here and then elsewhere.
        """
        session = (
            self._sessions.get(identity)
            or await self._fetch(identity, token)
            or await self.elsewhere.take(identity, token)
        )
        if session is None or not session.owns(token):
            return None
        self._count(session.address, -1)
        session.address = address
        self._count(address, 1)
        return session

    async def _fetch(self, identity: str, token: str) -> Session | None:
        """Ask the aggregator for a session.

        Answers name the token's digest, so that of several who ask for one session each gets the
        answer to its own token.
        """
        key = (identity, digest(token))
        if key not in self._resuming:
            self._resuming[key] = asyncio.get_running_loop().create_future()
            self.ask_resume(*key)
        answer = self._resuming[key]
        self._waiting[key] += 1
        try:
            return await asyncio.shield(answer)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:  # the last one gives up: nobody waits for the answer
                del self._waiting[key]
                self._resuming.pop(key, None)

    def _count(self, address: str, change: int) -> None:
        self._per_address[address] += change
        if self._per_address[address] <= 0:
            del self._per_address[address]

    def attach(self, session: Session, outlet: Outlet) -> None:
        """Give a session its connection; an older one is closed.

        Raises:
            ProtocolError: the session was resumed too often.
        """
        if session.outlet is not None:
            session.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        if session.left or session.outlet is not None:
            session.reconnects += 1
        if session.reconnects > self._limits.reconnects:
            raise ProtocolError(
                "resumed too often", code="session.too-many-resumes", close_code=CloseCode.POLICY
            )
        session.outlet = outlet
        session.left = 0.0

    def detach(self, session: Session, outlet: Outlet) -> None:
        """Note that a connection is gone; the session waits for the client to come back."""
        if session.outlet is outlet:
            session.outlet = None
            session.left = time.monotonic()

    # Frames

    def accept(self, session: Session, data: bytes) -> None:
        """Take a frame; the newest replaces one that still waits."""
        now = time.monotonic()
        session.seq += 1
        frame = PendingFrame(session.seq, data, None, now, now + self._limits.frameDeadline)
        metrics.RECEIVED.inc()
        if session.result is not None or session.closing:
            self._drop(session, frame, Drop.ENDED)
            return
        if not session.bucket.admit():
            self._drop(session, frame, Drop.RATE)
            return
        try:
            frame.header = intake.judge(data, self._limits)
        except FrameError as error:
            log.info("frame refused: %s", error, extra=_fields(session, seq=frame.seq))
            frame.data = b""
        if session.waiting is not None:
            self._drop(session, session.waiting, Drop.REPLACED)
        session.waiting = frame
        self.advance(session)
        metrics.RECEIVE.note(time.monotonic() - now)

    def advance(self, session: Session) -> None:
        """Begin the waiting frame, if nothing is under way."""
        frame = session.waiting
        if not session.dispatchable or frame is None:
            return
        if frame.header is None:
            session.waiting, session.active = None, frame
            profile = session.profile or Profile.PASSIVE
            estimate = failed_estimate(frame, profile, Stage.DECODE, Code.FRAME_UNDECODABLE)
            self.estimated(session, frame, estimate)
        else:
            self.submit(session)

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        """Take a frame's estimate and ask for its verdict."""
        if session.active is not frame:
            return
        if frame.answered:  # its deadline has passed: what the client was told stays true
            session.active = None
            self.advance(session)
            return
        frame.estimate = estimate
        frame.at = session.epoch(frame.received)
        frame.asked = session.asked = time.monotonic()
        self.ask_verdict(session, frame)

    def _drop(self, session: Session, frame: PendingFrame, reason: Drop) -> None:
        frame.answered = True
        metrics.FRAMES.labels("dropped", reason.value).inc()
        if session.outlet is not None:
            text = Codec.encode(Command.DROPPED, {"seq": frame.seq, "reason": reason.value})
            session.outlet.send(text)

    # Answers of the aggregator

    def receive(self, message: Answers) -> None:
        """Take an answer of the aggregator."""
        if isinstance(message, Resumed):
            self._resumed(message)
            return
        if isinstance(message, Welcome):
            for key in self._resuming:
                self.ask_resume(*key)
            return
        if isinstance(message, Settled):
            self._settle(message)
            return
        session = self._sessions.get(message.session)
        if session is None:
            return
        if isinstance(message, Opened):
            session.known.set()
            session.opened = replace(session.opened, plugins=message.plugins)
            if session.profile is None:
                session.profile = message.profile
            self.advance(session)
        else:
            self._verdict(session, message)

    def _verdict(self, session: Session, verdict: Verdict) -> None:
        frame = session.active
        began = time.monotonic()
        if frame is not None and frame.seq == verdict.seq and frame.estimate is not None:
            session.log.append(Judged(frame.seq, frame.at, frame.estimate, verdict.answers))
            self._unsettled.keep(session, frame.seq, frame.data)
            if verdict.keep:
                session.kept = (frame.seq, frame.data)
            session.active = None
            session.profile = verdict.profile
            self._answer(session, frame, verdict.status)
        if verdict.final and verdict.result is not None:
            self._decide(session, verdict.result, _outcome(session, verdict))
        elif len(session.log) >= self._limits.logFrames:
            self.end(session, "log full")
        else:
            self.advance(session)
        self.elsewhere.note(session)
        metrics.REPLY.note(time.monotonic() - began)

    def _answer(self, session: Session, frame: PendingFrame, status: str) -> None:
        if frame.answered:
            return
        frame.answered = True
        now = time.monotonic()
        JUDGED.inc()
        metrics.JUDGE.note(now - frame.asked)
        metrics.ANSWER.note(now - frame.received)
        metrics.ANSWERS.note(now - frame.received, now)
        if self.trace is not None:
            self.trace(session, frame, now)
        if session.outlet is not None:
            session.outlet.send(status)

    def _decide(self, session: Session, result: str, outcome: str) -> None:
        """Give the verdict to the client, once; a client that is away gets it when it resumes."""
        if session.result is not None:
            return
        session.result = result
        metrics.SESSIONS.labels(outcome).inc()
        seconds = round(time.monotonic() - session.begun, 2)
        told = _fields(session, outcome=outcome, frames=session.seq, seconds=seconds)
        log.info("session decided", extra=told)
        for frame in (session.active, session.waiting):
            if frame is not None and not frame.answered:
                self._drop(session, frame, Drop.ENDED)
        session.active = session.waiting = None
        if session.outlet is None:
            session.left = session.left or time.monotonic()
        self.deliver(session)

    def deliver(self, session: Session) -> None:
        """Send RESULT and close with 1000."""
        if session.outlet is not None and session.result is not None:
            session.outlet.send(session.result)
            session.outlet.close(CloseCode.VERDICT, "verdict given")

    def _resumed(self, message: Resumed) -> None:
        session = self._sessions.get(message.session)
        if session is None and message.history is not None:
            session = self._restore(message, message.history)
        answer = self._resuming.pop((message.session, message.token_digest), None)
        if answer is not None and not answer.done():
            answer.set_result(session)

    def _restore(self, message: Resumed, history: History) -> Session:
        """Make a session anew from what the aggregator remembers of it."""
        opened = decode(history.opened)
        assert isinstance(opened, Open)
        best = (history.kept_seq, history.kept) if history.kept_seq else None
        session = self.revive(opened, history.judged, best, message.profile)
        session.settled = message.settled
        session.result = message.result
        return session

    def revive(
        self,
        opened: Open,
        judged: list[Judged],
        kept: tuple[int, bytes] | None,
        profile: Profile | None,
    ) -> Session:
        """Make a session anew of its log; its client is yet to come back."""
        session = self._add(opened, "unknown")
        session.begun -= max(0.0, time.time() - opened.at)
        session.known.set()
        session.log = judged
        session.kept = kept
        session.seq = judged[-1].seq if judged else 0
        session.profile = profile
        session.left = time.monotonic()
        return session

    def _settle(self, settled: Settled) -> None:
        """Let go the frames whose side effects are done."""
        self.sinks = settled.health
        for identity, mark in settled.marks:
            session = self._sessions.get(identity)
            if session is not None:
                self._unsettled.settle(session, mark)

    # Ending

    def end(self, session: Session, reason: str) -> None:
        """End a session from outside: the aggregator says the last word."""
        if session.result is None and not session.closing:
            session.closing = reason
            session.asked = time.monotonic()
            self.ask_close(session, reason)

    def sweep(self) -> None:
        """Answer what is past its deadline, end what is too old; called a few times a second."""
        now = time.monotonic()
        for session in self.all():
            for frame in (session.active, session.waiting):
                if frame is not None and not frame.answered and now > frame.deadline:
                    self._drop(session, frame, Drop.DEADLINE)
                    if frame is session.waiting:
                        session.waiting = None
            if now - session.begun > self._limits.sessionSeconds:
                self.end(session, "session too long")
            if session.left and now - session.left > self._limits.resumeSeconds:
                self._forget_or_end(session)
            if session.result is None and now - session.asked > ASK_AGAIN_SECONDS:
                self._ask_again(session, now)
        self.elsewhere.sweep(now)

    def _ask_again(self, session: Session, now: float) -> None:
        """Repeat a question that has no answer yet; the aggregator answers each as often as asked.

        Over ``ipc://`` none is ever lost; over ``tcp://`` a connection may break with one in it.
        """
        session.asked = now
        if session.closing:
            self.ask_close(session, session.closing)
        elif not session.known.is_set():
            self.ask_open(session)
        elif session.active is not None and session.active.estimate is not None:
            self.ask_verdict(session, session.active)

    def _forget_or_end(self, session: Session) -> None:
        if session.result is None:
            self.end(session, "client gone")
        else:
            self.remove(session)

    def abandon(self, session: Session) -> None:
        """Forget a session of which its client was never told; it takes no place any more."""
        self.ask_close(session, "never known")
        self.remove(session)

    def remove(self, session: Session) -> None:
        """Forget a session."""
        self._unsettled.forget(session)
        self.elsewhere.forget(session)
        del self._sessions[session.id]
        self._count(session.address, -1)


def _outcome(session: Session, verdict: Verdict) -> str:
    """How a session ended; ``left`` when its client went away before any verdict."""
    if verdict.accepted:
        return "accepted"
    ended_from_outside = verdict.seq == 0
    gone = session.outlet is None or session.closing == CLIENT_LEFT
    return "left" if ended_from_outside and gone else "refused"


def _fields(session: Session, **more: object) -> dict[str, object]:
    """What a log line tells of a session: its id and numbers, nothing measured on the person."""
    return {"fields": {"session": session.id, **more}}
