"""The connection to the Redis of the session store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.config.service import Config
from shared.redis_connection import connect_async

UNREACHED = (RedisError, OSError, TimeoutError)
"""Errors of a request that Redis did not carry out, or perhaps did not."""


async def close_quietly(redis: Redis) -> None:
    """Close a client at the end of the process; an error must not keep others from closing."""
    with contextlib.suppress(RedisError, OSError):
        await redis.aclose()


def connect(
    config: Config, seconds: float, *, on_connect: Callable[[], None] | None = None
) -> Redis:
    """Make a client, with this time-out for a connection and for an answer; nothing is sent yet.

    There is no second try: the caller decides whether its request is still the same.
    ``on_connect`` is called for each new connection, before the first request on it.
    """
    address = config.SESSION_STORE.connectionString
    return connect_async(address, timeout=seconds, on_connect=on_connect)
