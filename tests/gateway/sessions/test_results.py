"""Results for the relying party: available while they may be requested, in limited memory."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from shared.config.service import Config
from tests.support.clock import SettableClock
from tests.support.redis_server import hanging, running_redis
from tests.support.store_cell import RESULT, Cell, cell

SECONDS = 60


def plugin(**args: Any) -> dict[str, Any]:
    return {"REQUEST": {"ServerResult": {"isEnabled": True, "args": {"key": "k" * 32, **args}}}}


def config(**args: Any) -> Config:
    return Config.model_validate({"MIDDLEWARES": plugin(seconds=SECONDS, **args)})


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def decided(gateway: Cell) -> str:
    """Decide a session and remove it and its client; return the session's id."""
    session, _ = gateway.begin()
    gateway.judge(session, final=True, accepted=True)
    gateway.sessions.remove(session)
    return session.id


async def result(gateway: Cell, session: str) -> str | None:
    report = await gateway.sessions.results.find(session)
    return None if report is None else report.result


async def test_a_result_is_available_for_its_time(clock: SettableClock) -> None:
    """This holds after the gateway has forgotten the session."""
    gateway = Cell(config(), clock)
    session = decided(gateway)
    clock.advance(SECONDS - 1)
    assert await result(gateway, session) == RESULT
    clock.advance(1)
    gateway.sessions.sweep()
    assert await result(gateway, session) is None


async def test_a_session_without_a_verdict_has_no_result() -> None:
    """The answer differs from that for an unknown session."""
    gateway = Cell(config())
    session, _ = gateway.begin()
    report = await gateway.sessions.results.find(session.id)
    assert report is not None
    assert report.result is None
    assert report.body(session.id) == {"session": session.id, "state": "undecided", "start": {}}
    assert await gateway.sessions.results.find("0" * 32) is None


async def test_the_oldest_are_forgotten_when_memory_is_full() -> None:
    """A flood of results displaces others, but never exceeds the memory."""
    gateway = Cell(config(maxBytes=1_000_000))
    sessions = [decided(gateway) for _ in range(2000)]
    found = [await result(gateway, session) is not None for session in sessions]
    assert 1000 < sum(found) < 2000
    assert found == sorted(found)


async def test_without_the_plugin_nothing_is_remembered() -> None:
    """A result contains a person's image. Results from before a reload are forgotten, too."""
    gateway = Cell(Config())
    assert await result(gateway, decided(gateway)) is None
    gateway = Cell(config())
    session = decided(gateway)
    gateway.sessions.renew(Config())
    assert await result(gateway, session) is None


async def test_another_gateway_knows_the_result(tmp_path: Path) -> None:
    """It comes from the session store, after the session's gateway has ended.

    Not without the store.
    """
    with running_redis() as redis:
        middlewares = plugin()
        async with cell(redis, tmp_path, 0, middlewares=middlewares) as first:
            session, client = first.begin()
            first.judge(session, final=True, accepted=True)
            await first.sweep_until(lambda: client.closed is not None)
        async with cell(redis, tmp_path, 1, middlewares=middlewares) as other:
            assert await result(other, session.id) == RESULT
            with contextlib.closing(redis.client()) as store:
                left = store.pttl(f"lunapass:session:{{{session.id}}}")
            assert 60_000 < left <= 300_000  # longer than LIMITS.resumeSeconds
        noticing = cell(redis, tmp_path, 2, middlewares=middlewares, notices_outages=True)
        async with noticing as other:
            with hanging(redis), pytest.raises(ConnectionError):
                await result(other, session.id)
