"""Start tokens that were used, in the session store."""

from gateway.state.identity import digest
from shared.config.service import Config
from shared.redis_connection import UNREACHED, close_quietly, connect_async

_USE = """
local first = redis.call('HSETNX', KEYS[1], 'used', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return first
"""
"""Needs no rights beyond those of the session store (docs/redis.md)."""


class StoredUsedTokens:
    """Remembers in the session store, for all gateways and over restarts."""

    since = float("-inf")

    def __init__(self, config: Config) -> None:
        section = config.SESSION_STORE
        self._redis = connect_async(section.connectionString, timeout=section.timeout)
        self._use = self._redis.register_script(_USE)

    async def use(self, name: str, seconds: float) -> bool:
        """Use a token up."""
        key = f"lunapass:session:start-token:{digest(name).hex()}"
        try:
            return bool(await self._use(keys=[key], args=[max(1, int(seconds * 1000))]))
        except UNREACHED as error:
            raise ConnectionError("the session store does not answer") from error

    async def close(self) -> None:
        """Close the connection."""
        await close_quietly(self._redis)
