"""Sessions that go on at another machine's gateway, and sessions that come from one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.session import Session, digest
from gateway.session_store import SessionStore
from shared.config import Config
from shared.protocol import CloseCode

if TYPE_CHECKING:
    from gateway.sessions import Sessions

log = logging.getLogger(__name__)

OWNER_SECONDS = 2.0
"""Between two writes of a quiet session, which show whether it has gone on elsewhere."""


class Elsewhere:
    """What is done without a session store: nothing, every session stays where it began."""

    def note(self, session: Session) -> None:
        """A session has changed."""

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
    """

    def __init__(self, config: Config, sessions: Sessions, sealing_key: bytes) -> None:
        self._sessions = sessions
        self._store = SessionStore(config, sealing_key, sessions.get, self._surrender)
        self._asked = 0.0

    def note(self, session: Session) -> None:
        """Have it written."""
        self._store.note(session)

    def forget(self, session: Session) -> None:
        """Write it no more."""
        self._store.forget(session)

    def sweep(self, now: float) -> None:
        """Write the undecided sessions, to learn which have gone on elsewhere."""
        if now - self._asked < OWNER_SECONDS:
            return
        self._asked = now
        for session in self._sessions.all():
            if session.result is None:
                self._store.note(session)

    async def take(self, identity: str, token: str) -> Session | None:
        """Take a session over with its log; the aggregator folds it anew.

        Raises:
            ProtocolError: there are too many sessions already.
        """
        self._sessions.require_room()
        stored = await self._store.take(identity, digest(token))
        if stored is None or self._sessions.get(identity) is not None:
            return self._sessions.get(identity)
        session = self._sessions.revive(stored.opened, stored.log, stored.kept, stored.profile)
        session.seq = max(session.seq, stored.seq)
        session.reconnects = stored.reconnects
        session.result = stored.result
        session.settled = session.log[-1].seq if session.log else 0
        if session.result is None:
            session.known.clear()
            self._sessions.ask_replay(session)
        self._store.note(session)
        log.info("session taken over", extra={"fields": {"session": identity}})
        return session

    @property
    def reached(self) -> bool:
        """Whether the session store was reached last."""
        return self._store.reached

    def _surrender(self, session: Session) -> None:
        """Let go a session that another gateway has taken over; that one gives the verdict."""
        log.info("session taken over elsewhere", extra={"fields": {"session": session.id}})
        if session.outlet is not None:
            session.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        session.closing = "elsewhere"
        session.active = session.waiting = None
        self._sessions.ask_forget(session)
        self._sessions.remove(session)

    async def close(self) -> None:
        """Write what has changed, once."""
        await self._store.close()
