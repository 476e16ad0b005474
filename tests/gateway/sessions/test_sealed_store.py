"""The session store with a real Redis: owners, verdicts, and take-overs between writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sessions.sealed_store import owner_of
from gateway.sessions.store_scripts import keys
from gateway.state.identity import digest
from shared.config.service import Config
from shared.wire.protocol import ProtocolError
from tests.support.judge import shot
from tests.support.redis_server import RedisServer, running_redis
from tests.support.stored_gateways import ID, TOKEN, gateways, session, taken
from tests.support.waiting import until


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


async def test_a_take_over_gets_all_frames(redis: RedisServer, tmp_path: Path) -> None:
    """They were written in two steps; the previous owner learns of it at its next write."""
    async with gateways(redis, tmp_path) as (first, second):
        assert await first.write(session(2)) == "stored"
        assert await first.write(session(3)) == "stored"
        stored = await taken(second)
        assert [judged.seq for judged in stored.log] == [1, 2, 3]
        assert await first.write(session(4)) == "lost"
        assert len((await taken(second)).log) == 3  # the old owner's late write is not there


async def test_each_take_over_raises_the_term(redis: RedisServer, tmp_path: Path) -> None:
    """One by the cell that had the session before does, too: its earlier term is over."""
    async with gateways(redis, tmp_path, "aba") as (before, other, again):
        assert await before.write(session(1)) == "stored"
        assert (await taken(other)).opened.term == 2
        assert (await taken(again)).opened.term == 3
        assert await before.write(session(2, term=1)) == "lost"
        assert await other.write(session(2, term=2)) == "lost"
        assert await again.write(session(2, term=3)) == "stored"


async def test_a_restarted_gateway_fences_off_its_predecessor(
    redis: RedisServer, tmp_path: Path
) -> None:
    """It continues in the next term, so that a late write of its dead predecessor fails."""
    async with gateways(redis, tmp_path, "aa") as (dead, restarted):
        assert await dead.write(session(1)) == "stored"
        assert await restarted.write(session(2, term=2)) == "stored"
        assert await dead.write(session(1)) == "lost"


async def test_a_restarted_gateway_does_not_take_back_moved_sessions(
    redis: RedisServer, tmp_path: Path
) -> None:
    """A gateway that took over the session meanwhile is in that term already, and keeps it."""
    async with gateways(redis, tmp_path, "aab") as (dead, restarted, other):
        assert await dead.write(session(1)) == "stored"
        assert (await taken(other)).opened.term == 2
        assert await restarted.write(session(1, term=2)) == "lost"
        assert await other.write(session(2, term=2)) == "stored"


async def test_a_take_over_gets_the_encoded_best_shot(redis: RedisServer, tmp_path: Path) -> None:
    """It is the newest one, with its source's description; a write without a new one keeps it."""
    async with gateways(redis, tmp_path) as (first, second):
        for frames, best in ((2, shot(1, b"first")), (3, shot(3, b"better")), (4, shot(3))):
            made = session(frames)
            made.kept = best
            assert await first.write(made) == "stored"
        assert (await taken(second)).kept == shot(3, b"better")


async def test_a_write_between_reading_and_taking_is_not_lost(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner stores its verdict in between, and it is taken over, too."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        take = second.store._take

        async def after_a_verdict(**arguments: object) -> object:
            assert await first.write(session(2, result="RESULT")) == "stored"
            return await take(**arguments)

        monkeypatch.setattr(second.store, "_take", after_a_verdict)
        stored = await taken(second)
        assert (len(stored.log), stored.result) == (2, "RESULT")


async def test_a_session_taken_by_two_at_once_has_one_owner(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one reads again and takes it from the faster one, which learns of it."""
    async with gateways(redis, tmp_path, "abc") as (first, second, third):
        await first.write(session(1))
        take = second.store._take

        async def after_another(**arguments: object) -> object:
            monkeypatch.setattr(second.store, "_take", take)
            assert (await taken(third)).opened.term == 2
            return await take(**arguments)

        monkeypatch.setattr(second.store, "_take", after_another)
        assert (await taken(second)).opened.term == 3
        assert await third.write(session(1, term=2)) == "lost"
        assert await second.write(session(1, term=3)) == "stored"


async def test_many_simultaneous_take_overs_succeed(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They follow the death of a gateway. Together they may take longer than a single one may."""
    timeout = 1.0
    async with gateways(redis, tmp_path, seconds=timeout) as (first, second):
        await first.write(session(1))
        take = second.store._take

        async def slow(**arguments: object) -> object:
            await asyncio.sleep(timeout / 20)
            return await take(**arguments)

        monkeypatch.setattr(second.store, "_take", slow)
        found = await asyncio.gather(*(second.store.take(ID, digest(TOKEN)) for _ in range(40)))
        assert None not in found


async def test_only_the_owner_may_store_a_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """A gateway that has lost the session may not: the other one decides."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await first.write(session(2, result="refused")) == "lost"
        assert await second.write(session(2, term=2, result="accepted")) == "stored"
        assert (await taken(first)).result == "accepted"


async def test_a_stored_verdict_is_final(redis: RedisServer, tmp_path: Path) -> None:
    """Nothing undecided replaces it, and the next owner of the session delivers it."""
    async with gateways(redis, tmp_path) as (first, second):
        assert await first.write(session(1, result="RESULT")) == "stored"
        assert await first.write(session(2)) == "lost"
        assert (await taken(second)).result == "RESULT"
        assert await second.write(session(1, term=2)) == "lost"


async def test_the_gateway_that_stored_a_verdict_may_deliver_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    """If it dies before its write is confirmed, its successor finds the verdict stored.

    It does not matter that the session has continued elsewhere, where the same verdict is
    delivered.
    """
    async with gateways(redis, tmp_path, "aab") as (dead, restarted, other):
        assert await dead.write(session(1, result="RESULT")) == "stored"
        assert (await taken(other)).result == "RESULT"
        assert await restarted.write(session(1, term=2, result="RESULT")) == "stored"
        assert await other.write(session(1, term=2, result="RESULT")) == "stored"


async def test_machines_with_the_same_name_give_one_verdict(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The file with the name was copied with the disk; one's writes do not count as the other's."""
    async with gateways(redis, tmp_path, "aa") as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await second.write(session(2, term=2, result="refused")) == "stored"
        assert await first.write(session(2, result="accepted")) == "lost"
        assert (await taken(first)).result == "refused"


async def test_a_wrong_resume_token_does_not_take_the_session(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The owner stays the same."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        assert await second.store.take(ID, digest("x" * 32)) is None
        assert await first.write(session(2)) == "stored"


async def test_a_refused_take_over_reads_no_frames(
    redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its frames, up to ``LIMITS.logFrames``, would cost this gateway more than the client."""
    made = session(1)
    made.reconnects = 1000
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(made)
        with contextlib.closing(redis.client()) as client:
            client.lset(keys(ID)[1], 0, b"damaged")
        assert await second.store.take(ID, digest("x" * 32)) is None
        with pytest.raises(ProtocolError, match="too often"):
            await second.store.take(ID, digest(TOKEN))
        assert caplog.messages == []


def test_an_owner_survives_its_gateway(tmp_path: Path) -> None:
    """The next gateway of a cell is the same owner, that of another cell is not."""
    cells = [
        Config.model_validate({"TRANSPORT": {"runtimeDirectory": str(tmp_path / name)}})
        for name in ("a", "b")
    ]
    assert owner_of(cells[0]) == owner_of(cells[0])
    assert owner_of(cells[0]) != owner_of(cells[1])


async def test_a_session_that_ends_while_it_is_written(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be lost once more, and the store continues with the next one."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(2))
        await taken(second)
        first.settled.clear()
        found = [first.session, None]  # gone once the write is answered
        monkeypatch.setattr(first, "get", lambda _: found.pop(0))
        first.store.mark_changed(session(3))
        await until(lambda: found == [])
        assert first.settled == []
