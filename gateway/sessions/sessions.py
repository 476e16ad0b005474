"""The sessions of this gateway: from CONNECT to the verdict, whatever happens in between."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from msgspec.structs import replace

from gateway import metrics
from gateway.sessions.elsewhere import Elsewhere
from gateway.sessions.frames import Frames
from gateway.sessions.judgement import Answers
from gateway.sessions.recall import Recall
from gateway.sessions.refused_sessions import RefusedSessions, SharedRefusals
from gateway.sessions.session import Session, digest, new_identity
from gateway.web.addresses import limit_key
from gateway.web.inflow import HeldBytes
from gateway.web.limits import TokenBucket
from shared.config.cells import prefix
from shared.config.service import Config
from shared.errors import ProtocolError
from shared.frame.best_shot import BestShot
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Judgement, Open, Opened, Resumed, Settled, SinkHealth, decode
from shared.wire.protocol import CloseCode
from shared.wire.records import History, Judged

log = logging.getLogger(__name__)


class Sessions:
    """Registry and life cycle of sessions.

    Args:
        config: the configuration.
        shared_refusals: refused sessions that all gateways count; None without a session store.
        sealing_key: secret of the gateways that share a session store; empty without one.
        held: counts the bytes of waiting frames; None counts them for these sessions alone.
        clock: dates the openings and measures all that follows.

    The gateway sets what asks the aggregator, once that exists.

    Attributes:
        frames: the frames of all sessions.
        recall: asks the aggregator for sessions that are not here.
        elsewhere: asks other gateways for them.
        refused: bounds the refused sessions of each address.
        sinks: how the side-effect plugins fare.
    """

    def __init__(
        self,
        config: Config,
        shared_refusals: SharedRefusals | None = None,
        *,
        sealing_key: bytes = b"",
        held: HeldBytes | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._config = config
        self._limits = config.LIMITS
        self._sessions: dict[str, Session] = {}
        self.frames = Frames(config, held, clock=clock)
        self.recall = Recall()
        self.sinks: tuple[SinkHealth, ...] = ()
        self.ask_open: Callable[[Session], None]
        self.ask_close: Callable[[Session, str], None]
        self.ask_replay: Callable[[Session], None]
        self.ask_forget: Callable[[Session], None]
        self.ask_commit: Callable[[Session], None]
        self.elsewhere = Elsewhere(self.release)
        most = self._limits.refusedSessionsPerAddress
        self.refused = RefusedSessions(
            most, self._end_one_too_many, shared_refusals, key=sealing_key, clock=clock
        )

    def all(self) -> list[Session]:
        """Sessions known now."""
        return list(self._sessions.values())

    def get(self, identity: str) -> Session | None:
        """Session of this gateway by its id."""
        return self._sessions.get(identity)

    @property
    def undecided(self) -> int:
        """Number of sessions whose client has no verdict."""
        return sum(not session.released for session in self._sessions.values())

    # Beginning

    def begin(
        self, address: str, *, mirrored: bool, client: str, refused_before: int = 0
    ) -> tuple[Session, str]:
        """Make a session.

        Args:
            address: of the client.
            mirrored: its pictures are mirrored.
            client: what it tells of itself, as JSON.
            refused_before: what ``refused`` has counted for that address.

        Returns:
            The session and its resume token, which is kept nowhere but with the client.

        Raises:
            ProtocolError: there are too many sessions, in total or of this address.
        """
        self.require_room()
        key = limit_key(address)
        if self._under_way(key) >= self._limits.sessionsPerAddress:
            raise ProtocolError(
                "too many sessions from this address",
                code="session.too-many",
                close_code=CloseCode.OVERLOADED,
            )
        identity, token = new_identity(prefix(self._config))
        opened = Open(
            incarnation="",
            session=identity,
            at=self._clock.wall(),
            seed=secrets.randbits(63),
            token_digest=digest(token),
            mirrored=mirrored,
            client=client,
            commits=self.elsewhere.commits,
            beginner=self.refused.client_of(key),
        )
        session = self._add(opened, key)
        session.refused_before = refused_before
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

    def _under_way(self, key: str) -> int:
        """Number of sessions of an address without a verdict; those with one cost no judging."""
        return sum(s.result is None and s.address == key for s in self._sessions.values())

    def _add(self, opened: Open, key: str) -> Session:
        bucket = TokenBucket(self._limits.framesPerSecond, self._limits.frameBurst)
        now = self._clock.monotonic()
        session = Session(opened.session, opened, key, bucket, now, clock=self._clock)
        self._sessions[session.id] = session
        session.asked = session.begun
        return session

    async def resume(self, identity: str, token: str, address: str) -> Session | None:
        """Find a session by id and resume token; None where there is none, or not by that token.

        The aggregator hands all sessions to a gateway that has just begun. One that is not here yet
        is asked for, here and then elsewhere.
        """
        session = (
            self._sessions.get(identity)
            or await self.recall.fetch(identity, digest(token))
            or await self.elsewhere.take(identity, token)
        )
        if session is None or not session.owns(token):
            return None
        session.address = limit_key(address)
        self.elsewhere.note(session)
        return session

    # Answers of the aggregator

    def receive(self, message: Answers) -> None:
        """Take an answer of the aggregator."""
        if isinstance(message, Judgement):
            self._verdict(message)
        elif isinstance(message, Opened):
            self._opened(message)
        elif isinstance(message, Resumed):
            self._resumed(message)
        elif isinstance(message, Settled):
            self._settle(message)
        else:
            self.recall.ask_again()

    def _opened(self, opened: Opened) -> None:
        session = self._sessions.get(opened.session)
        if session is None:
            return
        session.known.set()
        session.opened = replace(session.opened, plugins=opened.plugins)
        if session.profile is None:
            session.profile = opened.profile
        self.frames.advance(session)

    def _verdict(self, verdict: Judgement) -> None:
        session = self._sessions.get(verdict.session)
        if session is None:
            return
        began = self._clock.monotonic()
        self.frames.judged(session, verdict)
        self.refused.judged(session, verdict)
        if verdict.final and verdict.result is not None:
            self._decide(session, verdict.result, session.outcome_of(verdict))
        elif len(session.log) >= self._limits.logFrames:
            self.end(session, "log full")
        self.elsewhere.commit(session)
        metrics.REPLY.observe(self._clock.monotonic() - began)

    def _decide(self, session: Session, result: str, outcome: str) -> None:
        """Take the verdict, once; it is given to the client by ``release``."""
        if session.result is None:
            session.result, session.outcome = result, outcome

    def release(self, session: Session) -> None:
        """Send what the client may know now: the answer on its last frame, then the verdict.

        Until then nothing shows that there is a verdict: further frames are taken as ever.
        """
        self.frames.answer(session)
        if session.result is None:
            self.frames.advance(session)
        elif not session.released:
            session.released = True
            self._give(session)

    def _give(self, session: Session) -> None:
        """Give the verdict; a client that is away gets it when it resumes."""
        if session.outcome:
            metrics.SESSIONS.labels(session.outcome).inc()
            seconds = round(self._clock.monotonic() - session.begun, 2)
            fields = session.fields(outcome=session.outcome, frames=session.seq, seconds=seconds)
            log.info("session decided", extra=fields)
            self.refused.ended(session)
        self.frames.end(session)
        if session.outlet is None:
            session.left = session.left or self._clock.monotonic()
        if session.opened.commits:
            self.ask_commit(session)
        session.deliver()

    def _resumed(self, message: Resumed) -> None:
        session = self._sessions.get(message.session)
        if session is None and message.history is not None:
            session = self._restore(message, message.history)
        self.recall.answer(message.session, message.token_digest, session)

    def _restore(self, message: Resumed, history: History) -> Session:
        """Make a session anew from what the aggregator remembers of it."""
        opened = decode(history.opened)
        assert isinstance(opened, Open)
        # The gateway before may have left writes on their way to the store: they must fail from now
        # on. Without asking the store no more than one term above the known one may be claimed;
        # that is the term of a gateway that took the session over meanwhile, and it wins.
        opened = replace(opened, term=opened.term + 1)
        session = self.revive(
            opened, history.judged, history.kept, message.profile, message.elapsed
        )
        session.settled = message.settled
        session.result = message.result
        self.elsewhere.commit(session)
        return session

    def revive(
        self,
        opened: Open,
        judged: list[Judged],
        kept: BestShot | None,
        profile: Profile | None,
        elapsed: float,
    ) -> Session:
        """Make a session again of its log; its client is yet to come back.

        Args:
            opened: the event that began it.
            judged: its log.
            kept: the best shot so far.
            profile: checks of the next frame; None where that is not known yet.
            elapsed: seconds since its opening, as the aggregator or the store has measured them;
                the session is at least as old as its log shows.
        """
        session = self._add(opened, "")
        logged = judged[-1].at - opened.at if judged else 0.0
        session.begun -= max(elapsed, logged, 0.0)
        session.known.set()
        session.log = judged
        session.kept = kept
        session.seq = judged[-1].seq if judged else 0
        session.profile = profile
        session.suspect = profile is Profile.ACTIVE
        session.left = self._clock.monotonic()
        return session

    def _settle(self, settled: Settled) -> None:
        """Let go the frames whose side effects are done."""
        self.sinks = settled.health
        for identity, mark in settled.marks:
            if (session := self._sessions.get(identity)) is not None:
                self.frames.unsettled.settle(session, mark)

    # Ending

    def end(self, session: Session, reason: str) -> None:
        """End a session from outside: the aggregator says the last word."""
        if session.result is None and not session.closing:
            session.closing = reason
            session.asked = self._clock.monotonic()
            self.ask_close(session, reason)

    def _end_one_too_many(self, session: Session) -> None:
        self.end(session, "too many refused sessions from its address")

    def sweep(self) -> None:
        """Answer what is past its deadline, end what is too old; called a few times a second."""
        now = self._clock.monotonic()
        sessions = self.all()
        self.frames.sweep(sessions, now)
        for session in sessions:
            if now - session.begun > self._limits.sessionSeconds:
                self.end(session, "session too long")
            if session.left and now - session.left > self._limits.resumeSeconds:
                if session.result is None:
                    self.end(session, "client gone")
                elif session.released:
                    self.remove(session)
        self.elsewhere.sweep(now)

    def abandon(self, session: Session) -> None:
        """Drop a session whose client was never told about it."""
        self.ask_close(session, "never known")
        self.remove(session)

    def remove(self, session: Session) -> None:
        """Forget a session."""
        self.frames.unsettled.forget(session)
        self.elsewhere.forget(session)
        del self._sessions[session.id]
