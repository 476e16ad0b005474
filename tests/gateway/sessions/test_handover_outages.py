"""While the session store is down: what is still sent, what is held, and what follows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import metrics
from shared.wire.protocol import CloseCode
from tests.support.redis_server import RedisServer, hanging, running_redis
from tests.support.store_cell import RESULT, STORE_TIMEOUT, cells
from tests.support.waiting import until


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "is gone"])
async def test_a_store_that_is_not_required_holds_nothing_for_long(
    redis: RedisServer, tmp_path: Path, hangs: bool
) -> None:
    """For its timeout and a sweep; once it is known to be down, not at all."""
    async with (
        cells(redis, tmp_path, required=False, notices_outages=True) as (first, _),
        contextlib.AsyncExitStack() as end,
    ):
        session, client = first.begin()
        await until(lambda: first.sessions.handover.reached)  # every failed try comes later
        began = time.monotonic()
        if hangs:
            end.enter_context(hanging(redis))
        else:
            redis.kill()
            end.callback(redis.start)
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        held = time.monotonic() - began
        first.judge(session, final=True)
        assert client.commands == ["STATUS", "STATUS", "RESULT"]
        assert client.closed is CloseCode.VERDICT
        assert first.asked[-1] == "commit"
        assert held > STORE_TIMEOUT / 2  # one quick refusal is no outage


async def test_after_an_outage_the_given_verdict_is_stored_first(
    redis: RedisServer, tmp_path: Path
) -> None:
    """A client that resumes elsewhere as soon as Redis is back gets it."""
    async with cells(redis, tmp_path, required=False, notices_outages=True) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        with hanging(redis):
            first.judge(session, final=True)
            await first.sweep_until(lambda: client.closed is not None)
            resuming = asyncio.create_task(second.resume(session, first.token))
            await asyncio.sleep(0)
        assert client.commands == ["STATUS", "STATUS", "RESULT"]
        _, moved_client = await resuming
        assert moved_client.heard == [RESULT]


async def test_a_required_store_holds_the_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """However long Redis is away, within the time in which a session may be resumed."""
    async with cells(redis, tmp_path, required=True, notices_outages=True) as (first, _):
        session, client = first.begin()
        redis.kill()
        first.judge(session, final=True)
        for _ in range(30):
            first.sessions.sweep()
            await asyncio.sleep(3 * STORE_TIMEOUT / 30)
        assert client.heard == []
        redis.start()
        await first.sweep_until(lambda: client.closed is not None)
        assert client.commands == ["STATUS", "RESULT"]


async def test_what_cannot_be_stored_ends_without_a_verdict(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Neither the client nor a side effect gets one, so that none can be undone."""
    async with cells(redis, tmp_path, required=True, notices_outages=True, resumeSeconds=1.0) as (
        first,
        _,
    ):
        session, client = first.begin()
        before = metrics.totals(metrics.SESSIONS, "outcome")
        redis.kill()
        try:
            first.judge(session, final=True, accepted=True)
            await first.sweep_until(lambda: client.closed is not None)
        finally:
            redis.start()
        assert client.commands == ["ERROR"]
        assert "service.unavailable" in client.heard[0]
        assert client.closed is CloseCode.RESTART
        assert first.asked == ["open", "forget"]
        assert first.sessions.all() == []
        assert metrics.totals(metrics.SESSIONS, "outcome") == before
