"""Refused sessions that all gateways of a session store count together.

An address has a sorted set: session ids by the time at which they were counted, by Redis's clock.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.sessions.refused_sessions import WINDOW_SECONDS, Tally, max_entries
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.redis_connection import UNREACHED, close_quietly, connect_async

log = logging.getLogger(__name__)

_EXPIRE = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - {WINDOW_SECONDS:.0f})
"""
_CHARGE = f"""{_EXPIRE}
local added = redis.call('ZADD', KEYS[1], 'NX', now, ARGV[1])
local before = redis.call('ZRANK', KEYS[1], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], {WINDOW_SECONDS * 1000:.0f})
return added == 1 and before or -1
"""
_TALLY = f"""{_EXPIRE}
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if not newest[2] then return {{0, '0'}} end
return {{redis.call('ZCARD', KEYS[1]), tostring(now - tonumber(newest[2]))}}
"""


class StoredRefusals:
    """Counts refused sessions in the session store; while that is down, it counts nothing.

    Redis dates what is counted; the clock measures the pause after a failed try.
    """

    def __init__(self, config: Config, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._timeout = config.SESSION_STORE.timeout
        self._redis = connect_async(config.SESSION_STORE.connectionString, timeout=self._timeout)
        self._charge = self._redis.register_script(_CHARGE)
        self._tally = self._redis.register_script(_TALLY)
        self._in_order = asyncio.Lock()  # a session's refund comes after its charge
        self._rests_until = 0.0
        self._outage = Outage(
            log,
            "refused sessions are counted by each gateway alone",
            "refused sessions are counted together again",
        )

    async def charge(self, client: str, session: str, limit: int) -> int | None:
        """Count a session; return how many were counted before it.

        None if it is counted already, or the store is down.
        """
        args: list[str | int] = [session, max_entries(limit)]
        async with self._in_order:
            before = await self._ask(lambda: self._charge(keys=[_name(client)], args=args))
        return before if before is not None and before >= 0 else None

    async def refund(self, client: str, session: str) -> None:
        """Stop counting a session."""
        async with self._in_order:
            await self._ask(lambda: self._redis.zrem(_name(client), session))

    async def tally(self, client: str) -> Tally:
        """Count the sessions of a client; none if the store is down."""
        found = await self._ask(lambda: self._tally(keys=[_name(client)]))
        return Tally(int(found[0]), float(found[1])) if found is not None else Tally()

    async def close(self) -> None:
        """Close the connections."""
        await close_quietly(self._redis)

    async def _ask(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """Ask the store; return None if it does not answer, and for a while after that.

        Clients that open a session wait for the answer, so only the first may wait for a time-out.
        """
        if self._clock.monotonic() < self._rests_until:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await request()
        except UNREACHED as error:
            self._rests_until = self._clock.monotonic() + self._timeout
            self._outage.failed(str(error) or "no answer in time")
            return None
        self._outage.worked()
        return answer


def _name(client: str) -> str:
    return f"lunapass:refused:{client}"
