"""The memory of frames in Redis: one for all machines that share a session store.

While Redis does not answer, each aggregator knows its own sessions' frames only, and sends them
when Redis is back; with ``SESSION_STORE.required`` no frame counts without Redis. A request waits
for ``SESSION_STORE.timeout`` at most, and after a failure there is none for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence

from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from aggregator.frame_memory import Claim, LocalFrames, Unsent
from aggregator.plugins.base import Question
from shared.config.service import LimitsSection, SessionStoreSection
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.redis_connection import connect_async

log = logging.getLogger(__name__)

CONNECTIONS = 8
"""Connections to Redis, at most; further questions wait for their turn."""
RETRY_SECONDS = 1.0
"""After a failed try until the next one."""

NAMES = ("claimed", "claimedAt", "accepted", "acceptedAt", "refused", "refusedAt")
KEYS = [f"lunapass:{{frames}}:{name}" for name in NAMES]
"""Hashes from digest to session, each with a sorted set of their times; the braces keep them on one
node of a cluster. Refused frames have room of their own: a client may send any number of them."""

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
"""All times are of Redis's clock: a machine whose own is wrong must not forget others' frames."""
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
"""Atomic, so that of two sessions that send one frame at the same moment only one is the first."""
ACCEPT = f"""{_REMEMBER}
if not owner_of(KEYS[3], KEYS[4], digest, now, seconds) then
  remember(KEYS[3], KEYS[4], digest, session, now, seconds, most)
end
return 'accepted'
"""


class SharedFrames:
    """Frames of the sessions of all machines.

    Args:
        limits: the bounds; those on Redis hold for all machines together.
        section: where Redis is.
        clock: times the pause after a failed try.
    """

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
        self._seconds = 2 * section.timeout + 1.0  # for a connection and an answer
        self._redis = connect_async(section.connectionString, timeout=section.timeout)
        self._turn = asyncio.Semaphore(CONNECTIONS)
        self._claim = self._redis.register_script(CLAIM)
        self._accept = self._redis.register_script(ACCEPT)
        self._retry_at = 0.0
        self._outage = Outage(log, "memory of frames", "memory of frames: Redis is reached again")
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsent: deque[Unsent] = deque(maxlen=limits.reuseFrames)
        self._sender: asyncio.Task[None] | None = None

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Ask Redis, unless this process knows enough."""

        def at_once() -> bytes | None:
            if self._local.accepted(pixels, session):
                return Claim.ACCEPTED.value
            return None

        async def ask() -> bytes:
            claim = await self.claimed(pixels, session, passed=passed)
            while claim is None:
                await asyncio.sleep(RETRY_SECONDS)
                claim = await self.claimed(pixels, session, passed=passed)
            return claim.value

        return Question(ask, self._seconds, at_once=at_once)

    async def claimed(self, pixels: bytes, session: str, *, passed: bool = True) -> Claim | None:
        """Claim a frame for a session, in Redis and here.

        What is claimed here counts while Redis is away, or has lost its data. A frame that belongs
        to another session there is not claimed here: its owner may come to this machine.

        Returns:
            None where Redis is required and does not answer.
        """
        answer = await self._run(self._claim, pixels, session, passed=passed)
        if answer in (Claim.REUSED, Claim.ACCEPTED):
            return Claim(answer)
        if answer is None and self._required:
            return None
        claim = self._local.claimed(pixels, session)
        if answer is None and claim is Claim.FIRST and passed:
            self._send_later(Unsent(pixels, session, accepted=False))
        return claim

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Know a frame here again; Redis has not forgotten it."""
        self._local.recall(pixels, session, answers)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember a best shot here at once, and in Redis a moment later.

        Nobody waits for it: the frame is claimed, so that no other session can be accepted with it.
        """
        self._local.accept(pixels, session)
        task = asyncio.create_task(self._send_accepted(pixels, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_accepted(self, pixels: bytes, session: str) -> None:
        if await self._run(self._accept, pixels, session) is None:
            self._send_later(Unsent(pixels, session, accepted=True))

    def _send_later(self, unsent: Unsent) -> None:
        """Keep what Redis did not take until it does; beyond the bound the oldest are dropped."""
        self._unsent.append(unsent)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_unsent())

    async def _send_unsent(self) -> None:
        while self._unsent:
            first = self._unsent.popleft()
            script = self._accept if first.accepted else self._claim
            if await self._run(script, first.pixels, first.session) is None:
                self._unsent.appendleft(first)
                await asyncio.sleep(RETRY_SECONDS)

    async def _run(
        self, script: AsyncScript, pixels: bytes, session: str, *, passed: bool = True
    ) -> bytes | None:
        """Run a script; None while Redis does not answer."""
        limits = self._limits
        room = "passed" if passed else "refused"
        arguments = (pixels, session, limits.reuseSeconds, limits.reuseFrames, room)
        async with self._turn:
            if self._clock.monotonic() < self._retry_at:  # also if the one before us has failed
                return None
            try:
                answer = await script(keys=KEYS, args=arguments)
            except (RedisError, OSError, TimeoutError) as error:
                self._retry_at = self._clock.monotonic() + RETRY_SECONDS
                self._outage.failed(f"{error}; {self._without_redis}")
                return None
        self._outage.worked()
        return bytes(answer)

    @property
    def _without_redis(self) -> str:
        if self._required:
            return "frames are refused"
        return "repetitions are found on this machine only"

    async def close(self) -> None:
        """Finish what was begun, and end the connections."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        if self._unsent:
            log.error("memory of frames: %d frames were never sent to Redis", len(self._unsent))
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()
