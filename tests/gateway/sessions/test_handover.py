"""With a session store an answer is sent once it is stored, and only by the session's owner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import metrics
from gateway.sessions.handover import StoreHandover
from gateway.state.session import Session
from shared.config.service import Config
from shared.frame.estimation import Estimate
from shared.wire.messages import Resumed, encode
from shared.wire.protocol import CloseCode, ProtocolError
from shared.wire.records import History, Judged
from tests.support.clock import RunningClock
from tests.support.redis_server import RedisServer, hanging, running_redis
from tests.support.stamp import stamped_jpeg
from tests.support.store_cell import RESULT, Cell, Listener, cell, cells
from tests.support.waiting import until


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


async def test_an_answer_waits_until_it_is_stored(redis: RedisServer, tmp_path: Path) -> None:
    """This applies to STATUS and RESULT; until then the session does not show its verdict."""
    async with cells(redis, tmp_path) as (first, _):
        session, client = first.begin()
        before = metrics.totals(metrics.SESSIONS, "outcome")
        with hanging(redis):
            first.judge(session, final=True)
            first.sessions.frames.accept(session, stamped_jpeg(1, 7))
            first.sessions.frames.accept(session, stamped_jpeg(1, 8))
            await asyncio.sleep(0.1)
            assert client.commands == ["DROPPED"]  # the older of the two waiting frames
            assert "replaced" in client.heard[0]
            assert first.sessions.undecided == 1
            assert "commit" not in first.asked
            assert metrics.totals(metrics.SESSIONS, "outcome") == before
        await first.sweep_until(lambda: client.closed is not None)
        assert client.commands == ["DROPPED", "STATUS", "DROPPED", "RESULT"]
        assert client.closed is CloseCode.VERDICT
        assert first.asked.count("commit") == 1
        assert first.sessions.undecided == 0


async def test_the_next_frame_waits_for_the_previous_answer(
    redis: RedisServer, tmp_path: Path
) -> None:
    """No client ever has more than one judged frame that is not stored."""
    async with cells(redis, tmp_path) as (first, _):
        session, client = first.begin()
        with hanging(redis):
            first.judge(session)
            first.sessions.frames.accept(session, stamped_jpeg(1, 7))
            assert not session.dispatchable
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        assert session.dispatchable


async def test_a_verdict_of_a_former_owner_is_never_released(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The other gateway took over the session while this one was suspended, and only it decides."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        moved, moved_client = await second.resume(session, first.token)
        assert [judged.seq for judged in moved.log] == [1]
        before = metrics.totals(metrics.SESSIONS, "outcome")
        first.judge(session, final=True)
        await first.sweep_until(lambda: client.closed is not None)
        assert client.closed is CloseCode.REPLACED
        assert client.commands == ["STATUS"]
        assert first.asked == ["open", "forget"]
        assert first.sessions.get(session.id) is None
        assert metrics.totals(metrics.SESSIONS, "outcome") == before
        second.judge(moved, final=True, accepted=True)
        await second.sweep_until(lambda: moved_client.closed is not None)
        assert moved_client.commands == ["STATUS", "RESULT"]
        assert second.asked == ["replay", "commit"]


async def test_writes_of_an_earlier_ownership_are_dropped(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The session moved from A to B and back to A: writes of A's first ownership are dropped."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        moved, moved_client = await second.resume(session, first.token)
        second.judge(moved)
        await second.sweep_until(lambda: moved_client.commands == ["STATUS"])
        assert (await first.resume(session, first.token))[0] is session  # A has not noticed
        await first.sweep_until(lambda: first.sessions.get(session.id) is None)
        back, _ = await first.resume(session, first.token)
        assert len(back.log) == 2
        assert back.opened.term == 3


async def test_a_take_over_gives_the_stored_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """Nothing else happens: no frame is judged, the aggregator is not asked, nothing is counted."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session, final=True)
        await first.sweep_until(lambda: client.closed is not None)
        before = metrics.totals(metrics.SESSIONS, "outcome")
        moved, moved_client = await second.resume(session, first.token)
        assert moved_client.heard == [RESULT]
        second.sessions.frames.accept(moved, stamped_jpeg(1, 50))
        assert moved_client.commands == ["RESULT", "DROPPED"]
        assert second.asked == []
        assert metrics.totals(metrics.SESSIONS, "outcome") == before


async def test_every_take_over_counts_as_a_resumption(redis: RedisServer, tmp_path: Path) -> None:
    """This holds even if the client is faster than the gateways write."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        for taken in range(1, 5):
            there = (first, second)[taken % 2]
            for stale in there.sessions.all():
                there.sessions.remove(stale)  # it has noticed the take-over by then
            session, _ = await there.resume(session, first.token)
            assert session.reconnects == taken
        with pytest.raises(ProtocolError, match="too often"):
            session.attach(Listener(), max_resumes=4)


async def test_a_refused_take_over_leaves_the_session_where_it_is(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The first gateway still owns it, and its client still gets answers."""
    async with cells(redis, tmp_path, reconnects=0) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        with pytest.raises(ProtocolError, match="too often"):
            await second.sessions.resume(session.id, first.token)
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS", "STATUS"])
        assert client.closed is None


async def judge_twice(cell: Cell, session: Session, client: Listener) -> None:
    """Have two frames stored, after which no write is in flight.

    A clock that was set forward looks like an outage, after which the store writes everything
    again.
    """
    for number in (1, 2):
        cell.judge(session)
        await until(lambda number=number: len(client.commands) == number)


@pytest.mark.parametrize("step", [20.0, -3600.0, 86_400.0])
async def test_a_take_over_continues_the_time_of_the_session(
    redis: RedisServer, tmp_path: Path, step: float
) -> None:
    """Redis measures the time since the last write; no machine's wall clock is used."""
    here = RunningClock()
    there = RunningClock(here.wall_time + 30.0 + step, monotonic_time=7.0)
    async with cell(redis, tmp_path, 2, clock=here) as first:
        session, listener = first.begin()
        here.advance(30.0)
        here.step(step)
        await judge_twice(first, session, listener)
    with contextlib.closing(redis.client()) as client:  # after the first gateway's last write
        client.hincrby(f"lunapass:session:{{{session.id}}}", "opened", -10_000)
    async with cell(redis, tmp_path, 3, clock=there) as second:
        taken, _ = await second.resume(session, first.token)
        assert 40.0 <= taken.elapsed < 60.0
        there.advance(5.0)
        second.judge(taken)
        assert 45.0 <= taken.log[-1].at - session.opened.at < 65.0


@pytest.mark.parametrize("opened", [None, "nan", "-inf", "9e15", "x"])
async def test_an_invalid_stored_time_does_not_turn_time_back(
    redis: RedisServer, tmp_path: Path, opened: str | None
) -> None:
    """Whatever the field contains, the session is at least as old as its log shows."""
    here, there = RunningClock(), RunningClock(monotonic_time=7.0)
    async with cell(redis, tmp_path, 2, clock=here) as first:
        session, listener = first.begin()
        here.advance(3.0)
        await judge_twice(first, session, listener)
    name = f"lunapass:session:{{{session.id}}}"
    with contextlib.closing(redis.client()) as client:
        client.hdel(name, "opened") if opened is None else client.hset(name, "opened", opened)
    async with cell(redis, tmp_path, 3, clock=there) as second:
        taken, _ = await second.resume(session, first.token)
        assert taken.elapsed >= 3.0
        assert taken.now >= session.log[-1].at


async def test_two_simultaneous_resumptions_get_one_session(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The second would otherwise take the session from the first."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        resume = second.sessions.resume
        taken = await asyncio.gather(*(resume(session.id, first.token) for _ in range(3)))
        assert taken[0] is not None
        assert taken[0] is taken[1] is taken[2]
        assert taken[0].opened.term == 2


async def test_pending_take_overs_count_for_the_limit(redis: RedisServer, tmp_path: Path) -> None:
    """For further ones, but not for new sessions: the take-overs' tokens are not checked yet."""
    async with cells(redis, tmp_path, sessions=2) as (first, second):
        second.begin()
        stored = []
        for _ in range(2):
            session, client = first.begin()
            stored.append((session.id, first.token))
            first.judge(session)
            await until(lambda client=client: client.commands == ["STATUS"])
        handover = second.sessions.handover
        assert isinstance(handover, StoreHandover)
        with hanging(redis):
            taking = asyncio.create_task(second.sessions.resume(*stored[0]))
            await until(lambda: bool(handover._taking))
            with pytest.raises(ProtocolError, match="full"):
                await second.sessions.resume(*stored[1])
            second.begin()
        assert await taking is not None


async def test_an_abandoned_take_over_is_completed(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gave up, but finds the session at this gateway when it returns."""
    async with cells(redis, tmp_path) as (first, second):
        session, client = first.begin()
        first.judge(session)
        await first.sweep_until(lambda: client.commands == ["STATUS"])
        begun, gone = asyncio.Event(), asyncio.Event()
        handover = second.sessions.handover
        assert isinstance(handover, StoreHandover)
        take = handover._store.take

        async def slow(*key: Any) -> Any:
            begun.set()
            await gone.wait()
            return await take(*key)

        monkeypatch.setattr(handover._store, "take", slow)
        resuming = asyncio.create_task(second.sessions.resume(session.id, first.token))
        await begun.wait()
        resuming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await resuming
        gone.set()
        await second.sweep_until(lambda: second.sessions.get(session.id) is not None)


def resumed(session: Session, result: str | None) -> Resumed:
    """What the aggregator returns to a new gateway."""
    judged = [Judged(1, 2.0, encode(Estimate(640, 480)))]
    history = History(encode(session.opened), judged, None)
    return Resumed(session.id, session.opened.token_digest, history, result=result)


async def test_the_successor_delivers_a_stored_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """The gateway died before client and aggregator got the verdict; each now gets it once."""
    async with cells(redis, tmp_path) as (dead, _), cell(redis, tmp_path, 0) as restarted:
        session, client = dead.begin()
        dead.judge(session, final=True)
        await dead.sweep_until(lambda: client.closed is not None)
        restarted.sessions.receive(resumed(session, RESULT))
        again, client = await restarted.resume(session, dead.token)
        await restarted.sweep_until(lambda: client.closed is not None)
        assert client.heard == [RESULT]
        assert again.opened.term == 2
        assert restarted.asked == ["commit"]


async def test_the_successor_drops_a_verdict_that_was_not_stored(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The session has continued elsewhere meanwhile, so the aggregator's verdict is dropped."""
    async with cells(redis, tmp_path) as (dead, second), cell(redis, tmp_path, 0) as restarted:
        session, client = dead.begin()
        await dead.sweep_until(lambda: dead.sessions.handover.reached is True)
        dead.judge(session)
        await dead.sweep_until(lambda: client.commands == ["STATUS"])
        moved, _ = await second.resume(session, dead.token)
        restarted.sessions.receive(resumed(session, RESULT))
        await restarted.sweep_until(lambda: restarted.sessions.all() == [])
        assert restarted.asked == ["forget"]
        second.judge(moved, final=True, accepted=True)
        await second.sweep_until(lambda: moved.released)


async def test_without_a_store_nothing_waits() -> None:
    """Answers are sent at once, and the aggregator does not wait for commits either."""
    alone = Cell(Config())
    session, client = alone.begin()
    assert not session.opened.commits
    alone.judge(session, final=True)
    assert client.commands == ["STATUS", "RESULT"]
    assert alone.asked == ["open"]
