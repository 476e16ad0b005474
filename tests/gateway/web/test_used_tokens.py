"""Used start tokens in the session store: valid once over all gateways, never during an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.web.stored_used_tokens import StoredUsedTokens
from shared.config.service import Config
from tests.support.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


def gateway(redis: RedisServer) -> StoredUsedTokens:
    store = {"connectionString": redis.url, "timeout": 20.0}
    return StoredUsedTokens(Config.model_validate({"SESSION_STORE": store}))


async def test_one_of_many_gateways_accepts_a_token(redis: RedisServer) -> None:
    """All ask at the same time."""
    gateways = [gateway(redis) for _ in range(8)]
    taken = await asyncio.gather(*(one.use("bank 1", 60) for one in gateways))
    assert sum(taken) == 1
    assert not await gateways[0].use("bank 1", 60)
    assert await gateways[0].use("bank 2", 60)
    for one in gateways:
        await one.close()


async def test_a_token_is_remembered_no_longer_than_needed(redis: RedisServer) -> None:
    """The store does not grow forever."""
    used = gateway(redis)
    assert await used.use("short", 0.05)
    await asyncio.sleep(0.3)
    assert await used.use("short", 0.05)
    await used.close()


async def test_without_the_store_no_session_starts() -> None:
    """The token may have been used elsewhere."""
    with running_redis() as server:
        used = gateway(server)
        assert await used.use("a", 60)
        server.kill()
        with pytest.raises(ConnectionError):
            await used.use("b", 60)
        await used.close()
