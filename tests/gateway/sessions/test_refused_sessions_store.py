"""Refused sessions counted together, against a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.limits.addresses import address_digest
from gateway.sessions.refused_sessions import WINDOW_SECONDS, Tally, max_entries
from gateway.sessions.refused_sessions_store import StoredRefusals
from shared.config.service import Config
from tests.support.redis_server import RedisServer, running_redis

LIMIT = 3
CLIENT = address_digest(b"k" * 32, "192.0.2.1")


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


@contextlib.asynccontextmanager
async def gateways(redis: RedisServer) -> AsyncIterator[tuple[StoredRefusals, StoredRefusals]]:
    """Two gateways with one store, which is empty."""
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    config = Config.model_validate(
        {
            "SESSION_STORE": {"connectionString": redis.url, "timeout": 0.5},
        }
    )
    made = StoredRefusals(config), StoredRefusals(config)
    try:
        yield made
    finally:
        for each in made:
            await each.close()


async def test_gateways_count_together(redis: RedisServer) -> None:
    """They share one order, count each session once, and refund accepted ones."""
    async with gateways(redis) as (first, second):
        assert await first.tally(CLIENT) == Tally()
        assert await first.charge(CLIENT, "a", LIMIT) == 0
        assert await second.charge(CLIENT, "b", LIMIT) == 1
        assert await second.charge(CLIENT, "a", LIMIT) is None
        assert await first.charge(CLIENT, "c", LIMIT) == 2
        tally = await second.tally(CLIENT)
        assert tally.number == 3
        assert 0 <= tally.age < 60
        await first.refund(CLIENT, "b")
        assert (await second.tally(CLIENT)).number == 2
        assert await second.tally("192.0.2.2") == Tally()


async def test_simultaneous_charges_are_counted_one_by_one(redis: RedisServer) -> None:
    """Two gateways never give two sessions the same place."""
    async with gateways(redis) as pair:
        numbers = range(max_entries(LIMIT))
        places = await asyncio.gather(*(pair[n % 2].charge(CLIENT, f"{n}", LIMIT) for n in numbers))
        assert sorted(place for place in places if place is not None) == list(numbers)


async def test_a_charge_and_its_refund_keep_their_order(redis: RedisServer) -> None:
    """An accepted session never stays counted."""
    async with gateways(redis) as (first, _):
        for number in range(20):
            await asyncio.gather(
                first.charge(CLIENT, f"{number}", LIMIT), first.refund(CLIENT, f"{number}")
            )
        assert await first.tally(CLIENT) == Tally()


async def test_stored_counts_expire_and_are_limited(redis: RedisServer) -> None:
    """Sessions older than an hour do not count, and then the address is forgotten."""
    async with gateways(redis) as (first, _):
        for number in range(50):
            await first.charge(CLIENT, f"{number}", LIMIT)
        with contextlib.closing(redis.client()) as client:
            (name,) = client.keys("*")
            assert client.zcard(name) == max_entries(LIMIT)
            assert 0 < client.pttl(name) <= WINDOW_SECONDS * 1000
            for member in client.zrange(name, 0, -2):
                client.zadd(name, {member: time.time() - WINDOW_SECONDS - 1})
        assert (await first.tally(CLIENT)).number == 1


async def test_without_redis_only_the_local_count_applies(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not every client waits for Redis, and the outage is logged once."""
    async with gateways(redis) as (first, _):
        await first.charge(CLIENT, "a", LIMIT)
        redis.kill()
        assert await first.tally(CLIENT) == Tally()
        assert await first.charge(CLIENT, "b", LIMIT) is None
        redis.start()
        while (await first.tally(CLIENT)).number != 1:  # it pauses for a while  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    messages = [record.getMessage() for record in caplog.records]
    assert len([text for text in messages if "by each gateway alone" in text]) == 1
