"""Sessions in Redis, so that a client can go on at another machine's gateway.

The gateway that has a session is its owner and writes what changed, a moment after each answer and
never before it: Redis is on nobody's way. A gateway to which a client comes back takes the session
over; the one before learns of it when it writes next, and lets go without a verdict of its own.

While Redis cannot be reached, clients resume where they were; nothing else changes. A session that
could not be written piece by piece is written whole later.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import uuid
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.session import Session
from gateway.stored import Sealer, Stored
from shared.config import Config
from shared.errors import MessageError, ResourceError
from shared.transport import runtime_directory

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05
"""Between two writes: what changes meanwhile is written together."""
RETRY_SECONDS = 1.0
BATCH = 64
"""Sessions written in one go."""

TRIES = 3
"""To take a session over, since its owner may write between the reading and the taking."""

LOST, STALE = -1, -2

_WRITE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return -1 end
local from = tonumber(ARGV[2])
if from == 0 then redis.call('DEL', KEYS[2]) end
if redis.call('LLEN', KEYS[2]) ~= from then return -2 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'state', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'kept', ARGV[5]) end
for index = 6, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 0
"""
_READ = """
local found = redis.call('HMGET', KEYS[1], 'owner', 'state', 'kept')
return {found[1], found[2], found[3], redis.call('LRANGE', KEYS[2], 0, -1)}
"""
_TAKE = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[2])
return 1
"""


def keys(session: str) -> list[str]:
    """Names of a session's hash and list; the braces keep them on one node of a cluster."""
    return [f"lunapass:session:{{{session}}}", f"lunapass:session:{{{session}}}:log"]


def owner_of(config: Config) -> str:
    """Name of this cell as an owner; it outlives the gateway, and differs from any other cell's.

    Raises:
        ResourceError: it cannot be kept in the runtime directory.
    """
    path = runtime_directory(config) / "owner"
    try:
        owner = path.read_text() if path.exists() else ""
        if not owner:
            owner = uuid.uuid4().hex
            path.write_text(owner)
        return owner
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}; set TRANSPORT.runtimeDirectory") from error


class SessionStore:
    """The store as one gateway uses it.

    Args:
        config: the configuration.
        sealing_key: secret that all gateways of the store have.
        find: gives a session of this gateway by its id.
        lost: called with the session that another gateway has taken over.

    Attributes:
        reached: whether Redis answered last.
    """

    def __init__(
        self,
        config: Config,
        sealing_key: bytes,
        find: Callable[[str], Session | None],
        lost: Callable[[Session], None],
    ) -> None:
        section = config.SESSION_STORE
        self._limits = config.LIMITS
        self._find = find
        self._lost = lost
        self._owner = owner_of(config)
        self._sealer = Sealer(sealing_key)
        self._redis = Redis.from_url(
            section.connectionString,
            socket_timeout=section.timeout,
            socket_connect_timeout=section.timeout,
        )
        self._write = self._redis.register_script(_WRITE)
        self._read = self._redis.register_script(_READ)
        self._take = self._redis.register_script(_TAKE)
        self._changed: dict[str, None] = {}
        self._written: dict[str, tuple[int, int]] = {}
        self._wake = asyncio.Event()
        self.reached = True
        self._task = asyncio.create_task(self._run())

    def note(self, session: Session) -> None:
        """Have a session written that has changed."""
        self._changed[session.id] = None
        self._wake.set()

    def forget(self, session: Session) -> None:
        """Write a session no more; what is stored of it runs out."""
        self._changed.pop(session.id, None)
        self._written.pop(session.id, None)

    async def take(self, session: str, token_digest: bytes) -> Stored | None:
        """Take a session over from the gateway that had it.

        Returns:
            The session; None where there is none, not by that token, or Redis cannot be reached.
        """
        try:
            for _ in range(TRIES):
                owner, state, kept, judged = await self._read(keys=keys(session))
                if state is None:
                    return None
                stored = self._sealer.open(session, state, kept, judged)
                if not hmac.compare_digest(stored.opened.token_digest, token_digest):
                    return None
                if await self._take(keys=keys(session), args=[owner, self._owner, state]):
                    return stored
        except (RedisError, OSError, TimeoutError) as error:
            self._tell(error)
        except (MessageError, ValueError, TypeError) as error:
            log.error("stored session refused: %s", error, extra={"fields": {"session": session}})
        return None

    async def close(self) -> None:
        """Write what has changed, once, and end."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        try:
            while self._changed:
                await self._flush()
        except (RedisError, OSError, TimeoutError) as error:
            lost = {"sessions": len(self._changed)}
            log.error("session store: not written at the end: %s", error, extra={"fields": lost})
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self._flush()
                self._tell(None)
            except (RedisError, OSError, TimeoutError) as error:
                self._tell(error)
                self._written.clear()  # who knows what has arrived: all are written whole
                await asyncio.sleep(RETRY_SECONDS)
            if self._changed:
                self._wake.set()

    async def _flush(self) -> None:
        """Write a batch of changed sessions; they stay changed where that fails."""
        names = list(self._changed)[:BATCH]
        sessions = [session for name in names if (session := self._find(name)) is not None]
        marks = {session.id: _mark(session) for session in sessions}
        for name in names:
            del self._changed[name]
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for session in sessions:
                    await self._write(
                        keys=keys(session.id), args=self._pieces(session), client=pipeline
                    )
                answers = await pipeline.execute()
        except BaseException:
            self._changed.update({session.id: None for session in sessions})
            raise
        for session, answer in zip(sessions, answers, strict=True):
            self._settle(session, int(answer), marks[session.id])

    def _pieces(self, session: Session) -> list[bytes | str | int]:
        """Arguments of a write: only what is not stored yet."""
        count, kept = self._written.get(session.id, (0, -1))
        _, best = _mark(session)
        judged = [self._sealer.judged(session, index) for index in range(count, len(session.log))]
        return [
            self._owner,
            count,
            int(self._lifetime(session) * 1000),
            self._sealer.state(session),
            b"" if best == kept else self._sealer.kept(session),
            *judged,
        ]

    def _lifetime(self, session: Session) -> float:
        undecided = 0.0 if session.result is not None else self._limits.sessionSeconds
        return undecided + self._limits.resumeSeconds

    def _settle(self, session: Session, answer: int, mark: tuple[int, int]) -> None:
        if self._find(session.id) is not session:
            return  # it ended while it was written
        if answer == LOST:
            self.forget(session)
            self._lost(session)
        elif answer == STALE:
            self._written.pop(session.id, None)
            self.note(session)
        else:
            self._written[session.id] = mark

    def _tell(self, error: Exception | None) -> None:
        """Log when Redis goes and when it is back."""
        if error is not None and self.reached:
            log.error("session store: %s; clients resume where they were only", error)
        elif error is None and not self.reached:
            log.info("session store: reached again")
        self.reached = error is None


def _mark(session: Session) -> tuple[int, int]:
    """What a write stores: number of judged frames, and which one is kept."""
    return len(session.log), session.kept.seq if session.kept else 0
