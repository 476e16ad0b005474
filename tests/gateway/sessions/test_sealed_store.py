"""The session store against a real Redis: owners, verdicts, take-overs between writes, outages."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.sessions import store_contact
from gateway.sessions.identity import digest
from gateway.sessions.sealed_store import SealedStore, owner_of
from gateway.sessions.sealing import Stored
from gateway.sessions.session import Session
from gateway.sessions.store_contact import GRACE_TIMEOUTS
from gateway.web.limits import TokenBucket
from shared.config.service import Config
from shared.wire.messages import Open
from shared.wire.records import Judged
from tests.support.judge import shot
from tests.support.redis_server import RedisServer, running_redis
from tests.support.waiting import until

ID = "00" * 16
TOKEN = "t" * 32
TIMEOUT = 0.4
"""Of tests of outages, which wait for it, and for the grace period of three of them."""
PATIENCE = 20.0
"""Of all other tests, so that a busy machine is no outage; their gateways have no grace period."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


def session(frames: int, term: int = 1, result: str | None = None) -> Session:
    opened = Open("", ID, 1.0, 7, digest(TOKEN), term=term)
    made = Session(ID, opened, "198.51.100.1", TokenBucket(1, 1), 0.0)
    made.log = [Judged(seq, float(seq), b"e") for seq in range(1, frames + 1)]
    made.seq = frames
    if result is not None:
        made.decide(result)
    return made


class Gateway:
    """One gateway's end of the store, with at most one session."""

    def __init__(self, config: Config) -> None:
        self.session: Session | None = None
        self.settled: list[str] = []
        own = cast(Any, self)
        self.store = SealedStore(config, bytes(32), own, stored=self.stored, lost=self.lost)

    def get(self, _identity: str) -> Session | None:
        return self.session

    def all(self) -> list[Session]:
        return [] if self.session is None else [self.session]

    def stored(self, session: Session) -> None:
        self.settled.append("stored")

    def lost(self, session: Session) -> None:
        self.settled.append("lost")

    async def write(self, made: Session) -> str:
        """Have a session written; what became of it."""
        self.session = made
        self.settled.clear()
        self.store.mark_changed(made)
        await until(lambda: bool(self.settled))
        return self.settled[-1]


@contextlib.asynccontextmanager
async def gateways(
    redis: RedisServer,
    directory: Path,
    names: str = "ab",
    *,
    required: bool = True,
    seconds: float = PATIENCE,
    grace_timeouts: float = 0,
) -> AsyncIterator[list[Gateway]]:
    """Gateways of one installation; those of one name are of one cell.

    ``seconds`` is the timeout of their store; its grace period has ``grace_timeouts`` of them.
    """
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_contact, "GRACE_TIMEOUTS", grace_timeouts)
        for name in names:
            settings = {
                "SESSION_STORE": {
                    "connectionString": redis.url,
                    "timeout": seconds,
                    "required": required,
                },
                "TRANSPORT": {"runtimeDirectory": str(directory / name)},
            }
            made.append(Gateway(Config.model_validate(settings)))
    try:
        yield made
    finally:
        for gateway in made:
            await gateway.store.close()


noticing_outages = functools.partial(gateways, seconds=TIMEOUT, grace_timeouts=GRACE_TIMEOUTS)
"""Gateways with a short timeout and the grace period of the product."""


async def taken(gateway: Gateway) -> Stored:
    """Take the session over; tried again as clients do, since a busy machine exceeds time-outs."""
    deadline = time.monotonic() + 60
    while (stored := await gateway.store.take(ID, digest(TOKEN))) is None:
        assert time.monotonic() < deadline
    return stored


async def test_a_session_passes_on_with_all_its_frames(redis: RedisServer, tmp_path: Path) -> None:
    """Written in two steps, taken whole; the owner before learns of it when it writes next."""
    async with gateways(redis, tmp_path) as (first, second):
        assert await first.write(session(2)) == "stored"
        assert await first.write(session(3)) == "stored"
        stored = await taken(second)
        assert [judged.seq for judged in stored.log] == [1, 2, 3]
        assert await first.write(session(4)) == "lost"
        assert len((await taken(second)).log) == 3  # what the old owner wrote too late is not there


async def test_each_taking_raises_the_term(redis: RedisServer, tmp_path: Path) -> None:
    """Also one by the cell that had the session before: its earlier term is over."""
    async with gateways(redis, tmp_path, "aba") as (before, other, again):
        assert await before.write(session(1)) == "stored"
        assert (await taken(other)).opened.term == 2
        assert (await taken(again)).opened.term == 3
        assert await before.write(session(2, term=1)) == "lost"
        assert await other.write(session(2, term=2)) == "lost"
        assert await again.write(session(2, term=3)) == "stored"


async def test_a_restarted_gateway_shuts_out_the_one_before(
    redis: RedisServer, tmp_path: Path
) -> None:
    """It continues in the next term, so that a late write of its dead predecessor fails."""
    async with gateways(redis, tmp_path, "aa") as (dead, restarted):
        assert await dead.write(session(1)) == "stored"
        assert await restarted.write(session(2, term=2)) == "stored"
        assert await dead.write(session(1)) == "lost"


async def test_a_restarted_gateway_takes_nothing_back(redis: RedisServer, tmp_path: Path) -> None:
    """A gateway that took the session over meanwhile is in that term already, and keeps it."""
    async with gateways(redis, tmp_path, "aab") as (dead, restarted, other):
        assert await dead.write(session(1)) == "stored"
        assert (await taken(other)).opened.term == 2
        assert await restarted.write(session(1, term=2)) == "lost"
        assert await other.write(session(2, term=2)) == "stored"


async def test_the_best_shot_passes_on_as_it_was_encoded(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The newest one, with what was received for it; a write without a new one changes nothing."""
    async with gateways(redis, tmp_path) as (first, second):
        for frames, best in ((2, shot(1, b"first")), (3, shot(3, b"better")), (4, shot(3))):
            made = session(frames)
            made.kept = best
            assert await first.write(made) == "stored"
        assert (await taken(second)).kept == shot(3, b"better")


async def test_a_write_between_reading_and_taking_is_not_lost(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner stores its verdict just then: it is taken over too."""
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
    """The slower one reads again and takes it from the faster one, which then knows."""
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


async def test_many_take_overs_at_once_all_succeed(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the death of a gateway; together they may take longer than one may take."""
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


async def test_a_verdict_needs_the_session(redis: RedisServer, tmp_path: Path) -> None:
    """A gateway that has lost it may not store a verdict: the other one decides."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await first.write(session(2, result="refused")) == "lost"
        assert await second.write(session(2, term=2, result="accepted")) == "stored"
        assert (await taken(first)).result == "accepted"


async def test_a_stored_verdict_is_final(redis: RedisServer, tmp_path: Path) -> None:
    """Nothing undecided replaces it, and the next owner of the session gives that verdict."""
    async with gateways(redis, tmp_path) as (first, second):
        assert await first.write(session(1, result="RESULT")) == "stored"
        assert await first.write(session(2)) == "lost"
        assert (await taken(second)).result == "RESULT"
        assert await second.write(session(1, term=2)) == "lost"


async def test_who_stored_the_verdict_may_give_it(redis: RedisServer, tmp_path: Path) -> None:
    """A gateway that dies before it hears of its write is followed by one that finds it done.

    It makes no difference that the session has continued elsewhere, where the same verdict
    is given.
    """
    async with gateways(redis, tmp_path, "aab") as (dead, restarted, other):
        assert await dead.write(session(1, result="RESULT")) == "stored"
        assert (await taken(other)).result == "RESULT"
        assert await restarted.write(session(1, term=2, result="RESULT")) == "stored"
        assert await other.write(session(1, term=2, result="RESULT")) == "stored"


async def test_machines_of_one_name_give_one_verdict(redis: RedisServer, tmp_path: Path) -> None:
    """The file of the name was copied with the disk; what the other one stored is not its own."""
    async with gateways(redis, tmp_path, "aa") as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await second.write(session(2, term=2, result="refused")) == "stored"
        assert await first.write(session(2, result="accepted")) == "lost"
        assert (await taken(first)).result == "refused"


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


async def test_two_verdicts_given_in_an_outage(redis: RedisServer, tmp_path: Path) -> None:
    """The one that is stored first stays, and the other gateway learns that there are two."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        await taken(second)
        assert await second.write(session(2, term=2, result="accepted")) == "stored"
        given = session(2, result="refused")
        given.release()
        assert await first.write(given) == "lost"
        assert (await taken(first)).result == "accepted"


async def test_another_token_takes_nothing(redis: RedisServer, tmp_path: Path) -> None:
    """The owner stays who it was."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        assert await second.store.take(ID, digest("x" * 32)) is None
        assert await first.write(session(2)) == "stored"


@pytest.mark.parametrize("frames", [2, 3], ids=["nothing changed", "one more frame"])
async def test_what_an_outage_kept_back_is_written_later(
    redis: RedisServer, tmp_path: Path, frames: int
) -> None:
    """Redis dies and comes back empty: the session is written whole, also one that is quiet."""
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
    """The owner gave a verdict while the store hung; the other gateway waits until it is stored."""
    async with noticing_outages(redis, tmp_path, required=False) as (first, second):
        await first.write(session(1))
        assert (await taken(second)).result is None  # the first grace period is over
        await first.write(session(1, term=3))
        assert redis.process is not None
        os.kill(redis.process.pid, signal.SIGSTOP)
        first.session = session(2, term=3, result="refused")
        first.store.mark_changed(first.session)
        await until(lambda: first.store.contact.down)
        first.session.release()
        taking = asyncio.create_task(taken(second))
        await asyncio.sleep(0.01)
        os.kill(redis.process.pid, signal.SIGCONT)
        assert (await taking).result == "refused"


@pytest.mark.parametrize("required", [False, True], ids=["not required", "required"])
async def test_a_failover_that_no_request_notices(
    redis: RedisServer, tmp_path: Path, required: bool
) -> None:
    """Another server, which lacks the last write, answers at once: that write is not lost.

    The connections have ended, and are replaced without an error where no request is under way.
    """
    async with noticing_outages(redis, tmp_path, required=required) as (owner, other):
        await owner.write(session(1))
        with contextlib.closing(redis.client()) as client:
            old = {name: client.dump(name) for name in client.keys("*")}
            assert await owner.write(session(1, result="{}")) == "stored"
            await asyncio.sleep(GRACE_TIMEOUTS * TIMEOUT)  # else the wait of the start would do
            for name in client.keys("*"):
                client.delete(name)
            for name, value in old.items():
                client.restore(name, 0, value, replace=True)
            client.client_kill_filter(_type="normal", skipme=True)
        assert (await taken(other)).result == "{}"  # the first request may notice, and fail


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


def test_an_owner_outlives_its_gateway(tmp_path: Path) -> None:
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
    """It cannot be lost once more; the store continues with the next one."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(2))
        await taken(second)
        first.settled.clear()
        found = [first.session, None]  # there when its write begins, and not when it is answered
        monkeypatch.setattr(first, "get", lambda _: found.pop(0))
        first.store.mark_changed(session(3))
        await until(lambda: found == [])
        assert first.settled == []


async def test_a_write_that_raises_is_tried_again(
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


async def test_sessions_that_cannot_be_written_at_the_end_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their clients resume where they were only, and that gateway is about to be gone."""
    with running_redis() as server:
        async with noticing_outages(server, tmp_path) as (first, _):
            await first.write(session(1))
            server.kill()
            first.session = session(2)
            first.store.mark_changed(first.session)
    (logged,) = [record for record in caplog.records if "at shutdown" in record.getMessage()]
    assert logged.fields == {"sessions": 1}  # type: ignore[attr-defined]
