"""During an outage of the session store: what is sent, what is held back, and what follows."""

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
async def test_an_optional_store_delays_answers_briefly(
    redis: RedisServer, tmp_path: Path, hangs: bool
) -> None:
    """The delay is its timeout and one sweep; once the store is known to be down, there is none."""
    async with (
        cells(redis, tmp_path, required=False, notices_outages=True) as (first, _),
        contextlib.AsyncExitStack() as end,
    ):
        session, client = first.begin()
        await until(lambda: first.sessions.handover.reached)  # failed attempts come later
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


async def test_after_an_outage_the_delivered_verdict_is_stored_first(
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


async def test_a_required_store_delays_the_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """It waits as long as Redis is away, within the time in which a session may be resumed."""
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


async def test_a_session_that_cannot_be_stored_gets_no_verdict(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Neither the client nor a side effect gets one, so none can be contradicted later."""
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
