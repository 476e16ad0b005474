"""The memory of frames in Redis, shared by all machines with the same session store.

During an outage of Redis, each aggregator knows only its own sessions' frames and sends them later;
with ``SESSION_STORE.required`` no frame counts without Redis. A request takes at most
``SESSION_STORE.timeout``; after a failure there is none for ``RETRY_SECONDS``.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

from redis.commands.core import AsyncScript

from aggregator.frame_memory import Claim, LocalFrames, UnsentFrame
from aggregator.plugins.base import Question
from shared.config.service import LimitsSection, SessionStoreSection
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.redis_connection import UNREACHED, close_quietly, connect_async

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8
"""Connections to Redis; more requests wait."""
RETRY_SECONDS = 1.0
"""Pause after a failed try."""

NAMES = ("claimed", "claimedAt", "accepted", "acceptedAt", "refused", "refusedAt")
KEYS = [f"lunapass:{{frames}}:{name}" for name in NAMES]
"""Hashes from digest to session, each with a sorted set of times; the braces keep all on one node
of a cluster. Refused frames have a limit of their own: a client may send any number of them."""

_REMEMBER = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local function remember(owners, times, digest, session, now, seconds, most)
  redis.call('HSET', owners, digest, session)
  redis.call('ZADD', times, now, digest)
  local gone = redis.call('ZRANGEBYSCORE', times, '-inf', now - seconds, 'LIMIT', 0, 1000)
  local over = redis.call('ZCARD', times) - #gone - most
  if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', times, #gone, #gone + math.min(over, 1000) - 1)) do
      gone[#gone + 1] = old
    end
  end
  for _, old in ipairs(gone) do
    redis.call('HDEL', owners, old)
    redis.call('ZREM', times, old)
  end
  redis.call('EXPIRE', owners, math.ceil(seconds))
  redis.call('EXPIRE', times, math.ceil(seconds))
end
local function owner_of(owners, times, digest, now, seconds)
  local at = redis.call('ZSCORE', times, digest)
  if at and tonumber(at) > now - seconds then return redis.call('HGET', owners, digest) end
  return false
end
local digest, session = ARGV[1], ARGV[2]
local seconds, most = tonumber(ARGV[3]), tonumber(ARGV[4])
"""
"""All times are of Redis's clock: a machine with a wrong clock must not remove others' frames."""
CLAIM = f"""{_REMEMBER}
local accepted = owner_of(KEYS[3], KEYS[4], digest, now, seconds)
if accepted and accepted ~= session then return 'accepted' end
local claimed = owner_of(KEYS[1], KEYS[2], digest, now, seconds)
  or owner_of(KEYS[5], KEYS[6], digest, now, seconds)
if claimed and claimed ~= session then return 'reused' end
local first = ARGV[5] == 'passed' and 1 or 5
if not claimed then remember(KEYS[first], KEYS[first + 1], digest, session, now, seconds, most) end
return 'first'
"""
"""Atomic: if two sessions send one frame at the same moment, only one is the first."""
ACCEPT = f"""{_REMEMBER}
if not owner_of(KEYS[3], KEYS[4], digest, now, seconds) then
  remember(KEYS[3], KEYS[4], digest, session, now, seconds, most)
end
return 'accepted'
"""


class SharedFrames:
    """Frames of the sessions of all machines, which share the limits."""

    def __init__(
        self,
        limits: LimitsSection,
        section: SessionStoreSection,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._limits = limits
        self._required = section.required
        self._clock = clock
        self._local = LocalFrames(limits, clock=clock)
        self._seconds = 2 * section.timeout + 1.0  # to connect and to get an answer
        self._redis = connect_async(section.connectionString, timeout=section.timeout)
        self._free_connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._claim = self._redis.register_script(CLAIM)
        self._accept = self._redis.register_script(ACCEPT)
        self._retry_at = 0.0
        self._outage = Outage(log, "memory of frames", "memory of frames: Redis answers again")
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsent: deque[UnsentFrame] = deque(maxlen=limits.reuseFrames)
        self._sender: asyncio.Task[None] | None = None

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Return the question that claims a frame in Redis, or at once if it is known here."""

        def at_once() -> bytes | None:
            if self._local.accepted(pixels, session):
                return Claim.ACCEPTED.value
            return None

        async def ask() -> bytes:
            claim = await self.claim_now(pixels, session, passed=passed)
            while claim is None:
                await asyncio.sleep(RETRY_SECONDS)
                claim = await self.claim_now(pixels, session, passed=passed)
            return claim.value

        return Question(ask, self._seconds, at_once, asker="the memory of frames")

    async def claim_now(self, pixels: bytes, session: str, *, passed: bool = True) -> Claim | None:
        """Claim a frame for a session, in Redis and in this process.

        The claim of this process decides while Redis fails, or after it lost its data. A frame that
        Redis gives to another session is not claimed here: its owner may move to this machine.

        Returns:
            The claim; None if Redis is required and does not answer.
        """
        answer = await self._run(self._claim, pixels, session, passed=passed)
        if answer in (Claim.REUSED, Claim.ACCEPTED):
            return Claim(answer)
        if answer is None and self._required:
            return None
        claim = self._local.claim_now(pixels, session)
        if answer is None and claim is Claim.FIRST and passed:
            self._send_later(UnsentFrame(pixels, session, accepted=False))
        return claim

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Remember a frame in this process again; Redis still has it."""
        self._local.recall(pixels, session, answers)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember a best shot in this process at once, and in Redis in the background.

        Waiting is not necessary: the frame is claimed, so no other session can be accepted with it.
        """
        self._local.accept(pixels, session)
        task = asyncio.create_task(self._send_accepted(pixels, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_accepted(self, pixels: bytes, session: str) -> None:
        if await self._run(self._accept, pixels, session) is None:
            self._send_later(UnsentFrame(pixels, session, accepted=True))

    def _send_later(self, unsent: UnsentFrame) -> None:
        """Retain a frame until Redis takes it; a full queue drops the oldest."""
        self._unsent.append(unsent)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_unsent())

    async def _send_unsent(self) -> None:
        while self._unsent:
            first = self._unsent[0]
            script = self._accept if first.accepted else self._claim
            if await self._run(script, first.pixels, first.session) is None:
                await asyncio.sleep(RETRY_SECONDS)
            elif self._unsent[0] is first:  # a full queue may have dropped it meanwhile
                self._unsent.popleft()

    async def _run(
        self, script: AsyncScript, pixels: bytes, session: str, *, passed: bool = True
    ) -> bytes | None:
        """Run a script; return None during an outage."""
        limits = self._limits
        room = "passed" if passed else "refused"
        arguments = (pixels, session, limits.reuseSeconds, limits.reuseFrames, room)
        async with self._free_connections:
            # Checked after waiting for a connection: a request before this one may have failed.
            if self._clock.monotonic() < self._retry_at:
                return None
            try:
                answer = await script(keys=KEYS, args=arguments)
            except UNREACHED as error:
                self._retry_at = self._clock.monotonic() + RETRY_SECONDS
                self._outage.failed(f"{error}; {self._without_redis}")
                return None
        self._outage.worked()
        return bytes(answer)

    @property
    def _without_redis(self) -> str:
        if self._required:
            return "frames are refused"
        return "copies are found only on this machine"

    async def close(self) -> None:
        """Finish pending requests, and close the connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._unsent:
            log.error("memory of frames: %d frames were never sent to Redis", len(self._unsent))
        await close_quietly(self._redis)
