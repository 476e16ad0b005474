"""Takes over sessions from the aggregator or from other gateways.

With a session store, an answer is released only once it is stored. So a client can undo nothing by
going to another gateway, neither a verdict nor the count of its attempts.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from gateway.sessions.judgement import JudgementLink
from gateway.sessions.registry import SessionRegistry
from gateway.sessions.replay import Replay
from gateway.state.identity import digest
from gateway.state.session import Session
from shared import redis_needs
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.wire.protocol import CloseCode, Codec, Command

log = logging.getLogger(__name__)

PLACE = "[SESSION_STORE] connectionString"
OWNER_SECONDS = 2.0
"""Between two writes of a quiet session, which show whether another gateway has taken it over."""

Key = tuple[str, bytes]
"""Session and token digest: each of several clients that ask for one session has its own answer."""
Release = Callable[[Session], None]
"""Sends the answers of a session."""


class Recall:
    """Asks the aggregator for sessions, each once, however many clients wait for the answer."""

    def __init__(self, link: JudgementLink) -> None:
        self._link = link
        self._answers: dict[Key, asyncio.Future[Session | None]] = {}
        self._waiting: Counter[Key] = Counter()

    async def fetch(self, identity: str, token_digest: bytes) -> Session | None:
        """Ask for a session; return None if there is none with that token."""
        key = (identity, token_digest)
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
            self._link.resume(*key)
        answer = self._answers[key]
        self._waiting[key] += 1
        try:
            return await asyncio.shield(answer)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:  # the last one gives up: no client waits for the answer
                del self._waiting[key]
                self._answers.pop(key, None)

    def answer(self, identity: str, token_digest: bytes, session: Session | None) -> None:
        """Give an answer to every client that waits for it."""
        answer = self._answers.pop((identity, token_digest), None)
        if answer is not None and not answer.done():
            answer.set_result(session)

    def ask_again(self) -> None:
        """Repeat the unanswered requests to a new aggregator."""
        for key in self._answers:
            self._link.resume(*key)


class Handover:
    """Handover without a session store: sessions never move.

    Attributes:
        commits: the aggregator announces the end of a session only after ``Commit``.
    """

    commits = False

    def mark_changed(self, session: Session) -> None:
        """Queue a changed session for storing."""

    def commit(self, session: Session, release: Release) -> None:
        """Store the session; send its pending answers once it is stored."""
        release(session)

    def forget(self, session: Session) -> None:
        """Stop storing a session, and discard its held answers."""

    def sweep(self, now: float) -> None:
        """To be called a few times a second."""

    async def take(self, _identity: str, _token: str) -> Session | None:
        """Take a session over from another gateway; None if there is none with that token."""
        return None

    async def close(self) -> None:
        """Store what has changed and end."""

    @property
    def reached(self) -> bool | None:
        """Whether the session store was reached last; None without one."""
        return None


class HeldAnswers(NamedTuple):
    """Answers of a session that wait, since a monotonic time, until it is stored."""

    session: Session
    since: float
    release: Release


class StoreHandover(Handover):
    """Sessions pass from gateway to gateway through the session store."""

    commits = True

    def __init__(
        self,
        config: Config,
        registry: SessionRegistry,
        link: JudgementLink,
        replay: Replay,
        sealing_key: bytes,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        # Late imports: clients wait while a gateway restarts, and
        # importing redis takes a quarter of that time.
        from gateway.sessions.sealed_store import SealedStore
        from shared.redis_rights import log_missing_rights

        self._clock = clock
        self._registry = registry
        self._link = link
        self._replay = replay
        self._required = config.SESSION_STORE.required
        self._hold_seconds = config.LIMITS.resumeSeconds
        self._store = SealedStore(
            config, sealing_key, registry, stored=self._let_go, lost=self._lose, clock=clock
        )
        address, timeout = config.SESSION_STORE.connectionString, config.SESSION_STORE.timeout
        self._rights = asyncio.create_task(
            log_missing_rights(PLACE, address, redis_needs.SESSION_STORE, timeout)
        )
        self._taking: dict[Key, asyncio.Task[Session | None]] = {}
        self._held: dict[str, HeldAnswers] = {}
        self._asked = 0.0

    def mark_changed(self, session: Session) -> None:
        """Queue the session for writing."""
        self._store.mark_changed(session)

    def commit(self, session: Session, release: Release) -> None:
        """Have it written, and hold its answers until then, unless the store is down."""
        self._store.mark_changed(session)
        held = HeldAnswers(session, self._clock.monotonic(), release)
        self._held.setdefault(session.id, held)
        if not self._holds:
            self._let_go(session)

    @property
    def _holds(self) -> bool:
        return self._required or not self._store.contact.down

    def _let_go(self, session: Session) -> None:
        """Release the answers of a session."""
        held = self._held.pop(session.id, None)
        if held is not None:
            held.release(session)

    def forget(self, session: Session) -> None:
        """Stop storing a session, and discard its held answers."""
        self._held.pop(session.id, None)
        self._store.forget(session)

    def sweep(self, now: float) -> None:
        """Release or end what is held too long; rewrite idle sessions to detect take-overs."""
        for held in list(self._held.values()):
            if not self._holds:
                self._let_go(held.session)
            elif now - held.since > self._hold_seconds:
                self._withdraw(held.session)
        if now - self._asked >= OWNER_SECONDS:
            self._asked = now
            for session in self._registry.all():
                if not session.released:
                    self._store.mark_changed(session)

    async def take(self, identity: str, token: str) -> Session | None:
        """Take a session over with its log, which the aggregator folds again.

        However many connections ask for it at a time, it is taken once, or the second would take it
        away from the first. The take-over is completed even if all of them give up.

        Raises:
            ProtocolError: there are too many sessions already, or it was resumed too often.
        """
        key = (identity, digest(token))
        if key not in self._taking:
            # Pending take-overs do not count for new sessions: their tokens are not checked yet.
            self._registry.require_room(len(self._taking))
            self._taking[key] = asyncio.create_task(self._take(*key))
            self._taking[key].add_done_callback(lambda _: self._taking.pop(key))
        return await asyncio.shield(self._taking[key])

    async def _take(self, identity: str, token_digest: bytes) -> Session | None:
        stored = await self._store.take(identity, token_digest)
        if stored is None or self._registry.get(identity) is not None:
            return self._registry.get(identity)
        session = self._registry.revive(
            stored.opened, stored.log, stored.kept, stored.profile, stored.elapsed
        )
        reconnects = stored.reconnects_in(stored.opened.term)
        session.restore_stored(stored.seq, reconnects, stored.result)
        if stored.result is None:
            self._replay.replay(session)
        self._store.mark_changed(session)
        log.info("session taken over", extra={"fields": {"session": identity}})
        return session

    @property
    def reached(self) -> bool:
        """Whether the session store was reached last."""
        return self._store.contact.reached

    def _lose(self, session: Session) -> None:
        """Drop a session that another gateway has taken over; that one gives the verdict."""
        log.info("session taken over elsewhere", extra={"fields": {"session": session.id}})
        if session.released:  # given during an outage, and the other gateway was faster to store
            log.error("two verdicts were given", extra={"fields": {"session": session.id}})
        if session.outlet is not None:
            session.outlet.close(CloseCode.REPLACED, "resumed elsewhere")
        self._drop(session)

    def _withdraw(self, session: Session) -> None:
        """End a session without a verdict, because its answers cannot be stored.

        A verdict that is given but not stored could be undone at another gateway.
        """
        log.error(
            "session ended without a verdict: its answers could not be stored",
            extra={"fields": {"session": session.id}},
        )
        if session.outlet is not None:
            error = {"code": "service.unavailable", "message": "the session cannot be stored"}
            text = Codec.encode(Command.ERROR, {}, error)
            session.outlet.end_with(text, CloseCode.RESTART, "service.unavailable")
        self._drop(session)

    def _drop(self, session: Session) -> None:
        """Drop a session here and at the aggregator, which announces no end of it."""
        self._link.forget(session)
        self.forget(session)
        self._registry.remove(session)

    async def close(self) -> None:
        """Write what has changed, once."""
        self._rights.cancel()
        await self._store.close()
