"""Sessions that go on at another machine's gateway, and sessions that come from one.

With a session store, an answer leaves only once what it tells is stored. A client can therefore
undo nothing by going to another gateway, neither a verdict nor the count of its attempts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sessions.session import Session, digest
from gateway.sessions.session_store import SessionStore
from shared import redis_needs
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.redis_rights import log_missing_rights
from shared.wire.protocol import CloseCode, Codec, Command
from shared.wire.records import END

if TYPE_CHECKING:
    from gateway.sessions.sessions import Sessions

log = logging.getLogger(__name__)

PLACE = "[SESSION_STORE] connectionString"
OWNER_SECONDS = 2.0
"""Between two writes of a quiet session, which show whether it has gone on elsewhere."""


class Elsewhere:
    """What is done without a session store: every session stays where it began.

    Args:
        release: sends a session's answers.

    Attributes:
        commits: the aggregator announces the end of a session only after ``Commit``.
    """

    commits = False

    def __init__(self, release: Callable[[Session], None]) -> None:
        self._release = release

    def note(self, session: Session) -> None:
        """A session has changed."""

    def commit(self, session: Session) -> None:
        """A session has changed and has answers; they are released once they may leave."""
        self._release(session)

    def forget(self, session: Session) -> None:
        """A session is over here."""

    def sweep(self, now: float) -> None:
        """To be called a few times a second."""

    async def take(self, _identity: str, _token: str) -> Session | None:
        """Take a session over from another gateway; None where there is none by that token."""
        return None

    async def close(self) -> None:
        """The gateway ends."""

    @property
    def reached(self) -> bool | None:
        """Whether the session store was reached last; None without one."""
        return None


class ThroughStore(Elsewhere):
    """Sessions pass from gateway to gateway through the session store.

    Args:
        config: the configuration.
        sessions: those of this gateway.
        sealing_key: secret that all gateways of the store have.
        clock: measures how long answers are held.
    """

    commits = True

    def __init__(
        self, config: Config, sessions: Sessions, sealing_key: bytes, *, clock: Clock = SYSTEM
    ) -> None:
        super().__init__(sessions.release)
        self._clock = clock
        self._sessions = sessions
        self._required = config.SESSION_STORE.required
        self._hold_seconds = config.LIMITS.resumeSeconds
        self._store = SessionStore(config, sealing_key, self, clock=clock)
        address, timeout = config.SESSION_STORE.connectionString, config.SESSION_STORE.timeout
        self._rights = asyncio.create_task(
            log_missing_rights(PLACE, address, redis_needs.SESSION_STORE, timeout)
        )
        self._taking: dict[tuple[str, bytes], asyncio.Task[Session | None]] = {}
        self._asked = 0.0

    def get(self, identity: str) -> Session | None:
        """Session of this gateway by its id."""
        return self._sessions.get(identity)

    def all(self) -> list[Session]:
        """All sessions of this gateway."""
        return self._sessions.all()

    def note(self, session: Session) -> None:
        """Have it written."""
        self._store.note(session)

    def commit(self, session: Session) -> None:
        """Have it written, and its answers held until then, unless the store is down."""
        self._store.note(session)
        if self._holds:
            session.held_since = session.held_since or self._clock.monotonic()
        else:
            self._let_go(session)

    @property
    def _holds(self) -> bool:
        """Whether answers wait for the store."""
        return self._required or not self._store.contact.down

    def stored(self, session: Session) -> None:
        """Release the answers of a session that is stored as it is now."""
        if session.held_since:
            self._let_go(session)

    def _let_go(self, session: Session) -> None:
        session.held_since = 0.0
        self._release(session)

    def forget(self, session: Session) -> None:
        """Write it no more."""
        self._store.forget(session)

    def sweep(self, now: float) -> None:
        """Release or end what is held too long; write quiet sessions, to see which are lost."""
        for session in self._sessions.all():
            if not session.held_since:
                continue
            if not self._holds:
                self._let_go(session)
            elif now - session.held_since > self._hold_seconds:
                self._withdraw(session)
        if now - self._asked >= OWNER_SECONDS:
            self._asked = now
            for session in self._sessions.all():
                if not session.released:
                    self._store.note(session)

    async def take(self, identity: str, token: str) -> Session | None:
        """Take a session over with its log; the aggregator folds it anew.

        However many connections ask for it at a time, it is taken once, or the second would take it
        away from the first. It is taken to the end even where all of them give up.

        Raises:
            ProtocolError: there are too many sessions already.
        """
        key = (identity, digest(token))
        if key not in self._taking:
            self._sessions.require_room()
            self._taking[key] = asyncio.create_task(self._take(*key))
            self._taking[key].add_done_callback(lambda _: self._taking.pop(key))
        return await asyncio.shield(self._taking[key])

    async def _take(self, identity: str, token_digest: bytes) -> Session | None:
        stored = await self._store.take(identity, token_digest)
        if stored is None or self._sessions.get(identity) is not None:
            return self._sessions.get(identity)
        session = self._sessions.revive(
            stored.opened, stored.log, stored.kept, stored.profile, stored.elapsed
        )
        session.seq = max(session.seq, stored.seq)
        # A take-over counts as a resumption in the step that makes it, so that a client that
        # goes to and fro faster than gateways write is bounded too.
        session.reconnects = max(stored.reconnects, stored.opened.term - 2)
        session.result = stored.result
        if session.result is None:
            session.settled = session.log[-1].seq if session.log else 0
            session.known.clear()
            self._sessions.ask_replay(session)
        else:
            session.settled = END  # the gateway that stored the verdict announces it
            session.released = True
        self._store.note(session)
        log.info("session taken over", extra={"fields": {"session": identity}})
        return session

    @property
    def reached(self) -> bool:
        """Whether the session store was reached last."""
        return self._store.contact.reached

    def lost(self, session: Session) -> None:
        """Let go a session that another gateway has taken over; that one gives the verdict."""
        log.info("session taken over elsewhere", extra={"fields": {"session": session.id}})
        if session.released:  # given during an outage, and the other gateway was faster to store
            log.error("two verdicts were given", extra={"fields": {"session": session.id}})
        if session.outlet is not None:
            session.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        self._drop(session, "elsewhere")

    def _withdraw(self, session: Session) -> None:
        """End a session whose answers cannot be stored, without a verdict: none can be undone."""
        log.error("session ended unstored", extra={"fields": {"session": session.id}})
        if session.outlet is not None:
            error = {"code": "service.unavailable", "message": "the session cannot be stored"}
            text = Codec.encode(Command.ERROR, {}, error)
            session.outlet.end_with(text, CloseCode.RESTART, "service.unavailable")
        self._drop(session, "unstored")

    def _drop(self, session: Session, why: str) -> None:
        """Forget a session here and at the aggregator, which announces no end of it."""
        session.closing = why
        session.active = session.waiting = session.unsent = None
        self._sessions.ask_forget(session)
        self._sessions.remove(session)

    async def close(self) -> None:
        """Write what has changed, once."""
        self._rights.cancel()
        await self._store.close()
