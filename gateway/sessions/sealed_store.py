"""Sessions in Redis, so that a client can continue at another machine's gateway.

The gateway that has a session is its owner and writes every change within milliseconds. Answers
wait for that write (``gateway.sessions.handover``), so a client knows nothing about its session
that is not stored. The gateway to which a client comes back takes the session over. The previous
owner learns of it with its next write, and drops the session without a verdict of its own.

After a failed write all sessions are written whole, not only their changes.
"""

import asyncio
import contextlib
import hmac
import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from msgspec import structs

from gateway.sessions.registry import SessionRegistry
from gateway.sessions.sealing import Sealer, Stored
from gateway.sessions.store_contact import StoreContact
from gateway.sessions.store_scripts import LOST, READ, READ_STATE, STALE, TAKE, WRITE, keys
from gateway.state.identity import digest
from gateway.state.session import Session, require_resumable
from shared.config.service import Config
from shared.errors import MessageError, os_errors
from shared.process.clock import SYSTEM, Clock
from shared.redis_connection import UNREACHED, close_quietly, connect_async
from shared.wire.transport import runtime_directory

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.005
"""Pause before a write, so that changes made meanwhile are written with it. Every answer waits for
it; without it a busy gateway would spend more time on round trips than on the writes."""
BATCH = 64
"""Sessions in one write."""
MAX_RACES = 3
"""Tries to take a session over, since another gateway may take it at the same moment."""


class Mark(NamedTuple):
    """What is stored of a session: judged frames, the best shot's number, if it is decided."""

    frames: int
    kept: int
    decided: bool


NOTHING = Mark(0, -1, False)


def owner_of(config: Config) -> str:
    """Return the name of this cell as an owner.

    It outlives the gateway, and differs from that of any other cell.

    Raises:
        ResourceError: the runtime directory cannot hold it.
    """
    path = runtime_directory(config) / "owner"
    with os_errors(path, "set TRANSPORT.runtimeDirectory"):
        owner = path.read_text() if path.exists() else ""
        if not owner:
            owner = uuid.uuid4().hex
            path.write_text(owner)
        return owner


class SealedStore:
    """The store as one gateway uses it.

    Args:
        stored: called with a session that is stored as it is now.
        lost: called with a session that another gateway has taken over.
    """

    def __init__(
        self,
        config: Config,
        sealing_key: bytes,
        sessions: SessionRegistry,
        *,
        stored: Callable[[Session], None],
        lost: Callable[[Session], None],
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        section = config.SESSION_STORE
        self._limits = config.LIMITS
        result = config.MIDDLEWARES.REQUEST.ServerResult
        self._result_seconds = result.args.seconds if result.isEnabled else 0
        self._sessions = sessions
        self._stored = stored
        self._lost = lost
        self._owner = owner_of(config)
        self._sealer = Sealer(sealing_key)
        self.contact = StoreContact(section.timeout, clock=clock)
        self._redis = connect_async(
            section.connectionString,
            timeout=self.contact.try_seconds,
            on_connect=self.contact.connected,
        )
        # Requests go one at a time, over one connection: so each new connection follows a break.
        self._turn = asyncio.Lock()
        # One take-over at a time waits for its turn, so that writes are never behind many of them.
        self._taking = asyncio.Lock()
        self._timeout = section.timeout
        self._read_state = self._redis.register_script(READ_STATE)
        self._read = self._redis.register_script(READ)
        self._take = self._redis.register_script(TAKE)
        self._write_sha = ""
        self._changed: dict[str, None] = {}
        self._written: dict[str, Mark] = {}
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run())

    def mark_changed(self, session: Session) -> None:
        """Queue a changed session for writing."""
        self._changed[session.id] = None
        self._wake.set()

    def forget(self, session: Session) -> None:
        """Stop writing a session; its record in Redis expires."""
        self._changed.pop(session.id, None)
        self._written.pop(session.id, None)

    async def take(self, session: str, token_digest: bytes) -> Stored | None:
        """Take a session over from the gateway that had it.

        Waits while an owner may still have to store answers that it released during an outage.

        Returns:
            The session; None if there is none with that token, or Redis does not answer.

        Raises:
            ProtocolError: it was resumed too often.
        """
        try:
            races = 0
            while races < MAX_RACES and await self._may_take():
                async with self._taking:
                    if self.contact.grace_left() > 0:
                        continue  # the store was lost while other sessions were taken over
                    races += 1
                    async with asyncio.timeout(self._timeout), self._turn:
                        term = await self._term(session, token_digest)
                        if term is None:
                            return None
                        if (stored := await self._take_over(session, term)) is not None:
                            return stored
        except UNREACHED as error:
            log.warning("session store: no session can be taken over: %s", error)
        except (MessageError, ValueError, TypeError) as error:
            log.error("stored session refused: %s", error, extra={"fields": {"session": session}})
        return None

    async def _may_take(self) -> bool:
        """Wait for the end of a grace period; return False if the store stays down."""
        limit = self._clock.monotonic() + self._timeout
        while (pause := self.contact.grace_left()) > 0:
            if self.contact.down and self._clock.monotonic() > limit:
                return False
            await asyncio.sleep(pause)
        return True

    async def _term(self, session: str, token_digest: bytes) -> bytes | None:
        """Term of a session that can be taken over; None if there is none with that token.

        The whole log is read and opened only for a client that may have the session.

        Raises:
            MessageError: a piece of it is missing or was not sealed by a gateway.
            ProtocolError: it was resumed too often; its gateway and its client keep it.
        """
        term, state = await self._read_state(keys=keys(session))
        if term is None or state is None:
            return None
        stored = self._sealer.without_frames(session, state)
        if not hmac.compare_digest(stored.opened.token_digest, token_digest):
            return None
        reconnects = stored.reconnects_in(int(term) + 1) + 1
        require_resumable(reconnects, self._limits.reconnects, decided=stored.result is not None)
        self._sealer.open(session, *await self._read(keys=keys(session)))
        return bytes(term)

    async def _take_over(self, session: str, term: bytes) -> Stored | None:
        """Take a session over in its term; None if the term or the store may have changed."""
        if self.contact.grace_left() > 0:  # its term was read on a new connection
            return None
        args: list[bytes | str | int] = [term, self._owner, self._branch_milliseconds]
        taken = await self._take(keys=keys(session), args=args)
        if taken is None:
            return None
        new_term, *pieces, elapsed = taken
        stored = self._sealer.open(session, *pieces)
        opened = structs.replace(stored.opened, term=int(new_term))
        return replace(stored, opened=opened, elapsed=int(elapsed) / 1000)

    async def close(self) -> None:
        """Write what has changed once, and end."""
        self._closing = True  # redis-py swallows a cancellation that meets the end of its sending
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        try:
            async with asyncio.timeout(self._timeout), self._turn:
                while self._changed:
                    await self._flush()
        except UNREACHED as error:
            unwritten = {"sessions": len(self._changed)}
            log.error(
                "session store: sessions not written at shutdown: %s",
                error,
                extra={"fields": unwritten},
            )
        await close_quietly(self._redis)

    # Writing

    async def _run(self) -> None:
        while not self._closing:
            await self._until_due()
            limit = self._clock.monotonic() + self.contact.try_seconds
            try:
                async with asyncio.timeout(self.contact.try_seconds), self._turn:
                    await (self._flush() if self._changed else self._redis.ping())
            except UNREACHED as error:
                self._failed(error)
            except Exception as error:  # the writer must not end: every later answer waits for it
                log.exception("session store: a write failed")
                self._failed(error)
            else:
                self._answered()
                continue
            await asyncio.sleep(limit - self._clock.monotonic())

    async def _until_due(self) -> None:
        """Wait for a change, but no longer than a beat; then gather the changes of a moment."""
        if not self._changed:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.contact.beat_seconds):
                    await self._wake.wait()
        if self._changed:
            await asyncio.sleep(GATHER_SECONDS)

    def _failed(self, error: Exception) -> None:
        if self.contact.reached:
            why = str(error) or "no answer in time"
            log.error(
                "session store unavailable: %s; clients can resume only at their current gateway",
                why,
            )
        self.contact.failed()
        self._write_whole()

    def _answered(self) -> None:
        """After a break, write all sessions whole, those with a verdict first.

        The store may have lost them, and another gateway waits only for its grace period.
        """
        if not self.contact.reached:
            log.info("session store: reached again")
        if self.contact.answered():
            self._write_whole()
            ordered = sorted(self._sessions.all(), key=lambda session: session.result is None)
            self._changed = dict.fromkeys(session.id for session in ordered)

    def _write_whole(self) -> None:
        """Forget what was written before: it may not have arrived, or may be lost."""
        self._written.clear()
        self._write_sha = ""

    async def _flush(self) -> None:
        """Write a batch of changed sessions; if that fails, they stay queued."""
        names = list(self._changed)[:BATCH]
        sessions = [session for name in names if (session := self._sessions.get(name)) is not None]
        for name in names:
            del self._changed[name]
        try:
            if not self._write_sha:
                self._write_sha = await self._redis.script_load(WRITE)
            marks = [_mark(session) for session in sessions]
            async with self._redis.pipeline(transaction=False) as pipeline:
                for session in sessions:
                    pipeline.evalsha(self._write_sha, 3, *keys(session.id), *self._pieces(session))
                answers = await pipeline.execute()
        except BaseException:
            self._changed.update({session.id: None for session in sessions})
            raise
        for session, answer, mark in zip(sessions, answers, marks, strict=True):
            self._on_written(session, int(answer), mark)

    def _pieces(self, session: Session) -> list[bytes | str | int]:
        """Arguments of a write: only what is not stored yet."""
        before = self._written.get(session.id, NOTHING)
        now = _mark(session)
        return [
            self._owner,
            session.opened.term,
            b"" if session.result is None else digest(session.result),
            int(session.released),
            before.frames,
            int(self._record_seconds(session) * 1000),
            self._branch_milliseconds,
            self._sealer.state(session),
            b"" if now.kept == before.kept else self._sealer.kept(session),
            int(session.elapsed * 1000),
            *(self._sealer.judged(session, index) for index in range(before.frames, now.frames)),
        ]

    def _record_seconds(self, session: Session) -> float:
        if session.result is not None:
            return max(self._limits.resumeSeconds, self._result_seconds)
        return self._limits.sessionSeconds + self._limits.resumeSeconds

    @property
    def _branch_milliseconds(self) -> int:
        """How long a gateway that was cut off may hold a session that another one has continued."""
        return int((self._limits.sessionSeconds + self._limits.resumeSeconds) * 1000)

    def _on_written(self, session: Session, answer: int, mark: Mark) -> None:
        if self._sessions.get(session.id) is not session:
            return  # it ended while it was written
        if answer == LOST:
            self.forget(session)
            self._lost(session)
        elif answer == STALE:
            self._written.pop(session.id, None)
            self.mark_changed(session)
        else:
            self._written[session.id] = mark
            if mark == _mark(session):
                self._stored(session)


def _mark(session: Session) -> Mark:
    kept = session.kept.seq if session.kept else 0
    return Mark(len(session.log), kept, session.result is not None)
