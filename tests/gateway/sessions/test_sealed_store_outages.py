"""Outages of the session store: delivered verdicts stand, and delayed writes follow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sessions.store_contact import GRACE_TIMEOUTS
from gateway.state.identity import digest
from gateway.state.session import Session
from tests.support.redis_server import RedisServer, hanging, running_redis
from tests.support.stored_gateways import (
    ID,
    TIMEOUT,
    TOKEN,
    gateways,
    noticing_outages,
    session,
    taken,
)
from tests.support.waiting import until


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


async def test_a_verdict_given_in_an_outage_stands(redis: RedisServer, tmp_path: Path) -> None:
    """It replaces an undecided session of another gateway, but no stored verdict."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        await taken(second)
        given = session(2, result="refused")
        given.release()
        assert await first.write(given) == "stored"
        assert await second.write(session(2, term=2, result="accepted")) == "lost"
        assert (await taken(second)).result == "refused"


async def test_the_first_of_two_outage_verdicts_is_stored(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The other gateway logs that there are two."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await second.write(session(2, term=2, result="accepted")) == "stored"
        given = session(2, result="refused")
        given.release()
        assert await first.write(given) == "lost"
        assert (await taken(first)).result == "accepted"


@pytest.mark.parametrize("frames", [2, 3], ids=["nothing changed", "one more frame"])
async def test_writes_delayed_by_an_outage_follow(
    redis: RedisServer, tmp_path: Path, frames: int
) -> None:
    """Redis dies and returns empty: every session is written again, even without new frames."""
    async with noticing_outages(redis, tmp_path) as (first, second):
        await first.write(session(2))
        redis.kill()
        if frames > 2:
            first.session = session(frames)
            first.store.mark_changed(first.session)
        await until(lambda: first.store.contact.down and second.store.contact.down)
        first.settled.clear()
        assert await second.store.take(ID, digest(TOKEN)) is None
        redis.start()
        with contextlib.closing(redis.client()) as client:
            client.flushall()
        await until(lambda: bool(first.settled) and second.store.contact.reached)
        assert len((await taken(second)).log) == frames


async def test_no_stale_session_is_taken_after_an_outage(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The owner delivered a verdict while the store hung.

    The other gateway waits until it is stored.
    """
    async with noticing_outages(redis, tmp_path, required=False) as (first, second):
        await first.write(session(1))
        assert (await taken(second)).result is None  # the first grace period has ended
        await first.write(session(1, term=3))
        with hanging(redis):
            first.session = session(2, term=3, result="refused")
            first.store.mark_changed(first.session)
            await until(lambda: first.store.contact.down)
            first.session.release()
            taking = asyncio.create_task(taken(second))
            await asyncio.sleep(0.01)
        assert (await taking).result == "refused"


@pytest.mark.parametrize("required", [False, True], ids=["not required", "required"])
async def test_a_failover_between_requests_loses_no_write(
    redis: RedisServer, tmp_path: Path, required: bool
) -> None:
    """Another server, which lacks the last write, answers at once.

    The connections have ended, and are replaced without an error if no request is in flight.
    """
    async with noticing_outages(redis, tmp_path, required=required) as (owner, other):
        await owner.write(session(1))
        with contextlib.closing(redis.client()) as client:
            old = {name: client.dump(name) for name in client.keys("*")}
            assert await owner.write(session(1, result="{}")) == "stored"
            await asyncio.sleep(GRACE_TIMEOUTS * TIMEOUT)  # end the start-up wait
            for name in client.keys("*"):
                client.delete(name)
            for name, value in old.items():
                client.restore(name, 0, value, replace=True)
            client.client_kill_filter(_type="normal", skipme=True)
        assert (await taken(other)).result == "{}"  # the first request may fail


async def test_a_session_of_a_dead_owner_is_taken_after_an_outage(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The grace period also ends if no gateway writes."""
    async with noticing_outages(redis, tmp_path, required=False) as (first, second):
        await first.write(session(1))
        first.session = None
        redis.kill()
        await until(lambda: not second.store.contact.reached)
        redis.start()
        await until(lambda: second.store.contact.reached)
        began = time.monotonic()
        assert len((await taken(second)).log) == 1
        assert time.monotonic() - began > TIMEOUT


async def test_a_write_that_raises_is_retried(
    redis: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The writer survives an error in the code that it calls, and logs it."""
    async with noticing_outages(redis, tmp_path) as (first, _):
        state = first.store._sealer.state

        def broken(_: Session) -> bytes:
            monkeypatch.setattr(first.store._sealer, "state", state)
            raise RuntimeError("no state")

        monkeypatch.setattr(first.store._sealer, "state", broken)
        assert await first.write(session(1)) == "stored"
    assert "no state" in caplog.text


async def test_sessions_that_cannot_be_written_at_shutdown_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their clients can resume only at this gateway, which is about to end."""
    with running_redis() as server:
        async with noticing_outages(server, tmp_path) as (first, _):
            await first.write(session(1))
            server.kill()
            first.session = session(2)
            first.store.mark_changed(first.session)
    (logged,) = [record for record in caplog.records if "at shutdown" in record.getMessage()]
    assert logged.fields == {"sessions": 1}  # type: ignore[attr-defined]
