"""The session store against a real Redis: owners, take-overs between writes, outages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.limits import TokenBucket
from gateway.session import Session, digest
from gateway.session_store import SessionStore, owner_of
from shared.config import Config
from shared.messages import Judged, Open
from tests.support.judge import shot
from tests.support.redis_server import RedisServer, running_redis

ID = "00" * 16
TOKEN = "t" * 32


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


def session(frames: int) -> Session:
    opened = Open("", ID, 1.0, 7, digest(TOKEN))
    made = Session(ID, opened, "198.51.100.1", TokenBucket(1, 1), 0.0)
    made.log = [Judged(seq, float(seq), b"e") for seq in range(1, frames + 1)]
    made.seq = frames
    return made


class Gateway:
    """One gateway's end of the store, with at most one session."""

    def __init__(self, config: Config) -> None:
        self.session: Session | None = None
        self.lost: list[Session] = []
        self.find: Callable[[str], Session | None] = lambda _: self.session
        self.store = SessionStore(config, bytes(32), lambda name: self.find(name), self.lost.append)

    async def write(self, made: Session) -> None:
        self.session = made
        self.store.note(made)
        await asyncio.sleep(0.3)


@contextlib.asynccontextmanager
async def gateways(redis: RedisServer, directory: Path) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways of one installation, each with a runtime directory of its own."""
    with contextlib.closing(redis.client()) as client:
        client.flushall()
    made = []
    for name in ("a", "b"):
        settings = {
            "SESSION_STORE": {"connectionString": redis.url},
            "TRANSPORT": {"runtimeDirectory": str(directory / name)},
        }
        made.append(Gateway(Config.model_validate(settings)))
    try:
        yield made[0], made[1]
    finally:
        for gateway in made:
            await gateway.store.close()


async def test_a_session_passes_on_with_all_its_frames(redis: RedisServer, tmp_path: Path) -> None:
    """Written in two steps, taken whole; the owner before learns of it when it writes next."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(2))
        await first.write(session(3))
        stored = await second.store.take(ID, digest(TOKEN))
        assert stored is not None
        assert [judged.seq for judged in stored.log] == [1, 2, 3]
        assert first.lost == []
        await first.write(session(4))
        assert [lost.id for lost in first.lost] == [ID]
        again = await second.store.take(ID, digest(TOKEN))
        assert again is not None
        assert len(again.log) == 3  # what the old owner wrote too late is not there


async def test_the_best_shot_passes_on_as_it_was_encoded(
    redis: RedisServer, tmp_path: Path
) -> None:
    """The newest one, with what was received for it; a write without a new one changes nothing."""
    async with gateways(redis, tmp_path) as (first, second):
        for frames, best in ((2, shot(1, b"first")), (3, shot(3, b"better")), (4, shot(3))):
            made = session(frames)
            made.kept = best
            await first.write(made)
        stored = await second.store.take(ID, digest(TOKEN))
        assert stored is not None
        assert stored.kept == shot(3, b"better")


async def test_a_write_between_reading_and_taking_is_not_lost(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner judges one more frame just then: it is taken over too."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        take = second.store._take

        async def after_one_more(**arguments: object) -> int:
            monkeypatch.setattr(second.store, "_take", take)
            await first.write(session(2))
            taken: int = await take(**arguments)
            assert taken == 0
            return taken

        monkeypatch.setattr(second.store, "_take", after_one_more)
        stored = await second.store.take(ID, digest(TOKEN))
        assert stored is not None
        assert len(stored.log) == 2


async def test_another_token_takes_nothing(redis: RedisServer, tmp_path: Path) -> None:
    """The owner stays who it was."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(1))
        assert await second.store.take(ID, digest("x" * 32)) is None
        await first.write(session(2))
        assert first.lost == []


async def test_what_an_outage_kept_back_is_written_later(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Redis dies and comes back empty: the session is written whole."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(2))
        redis.kill()
        await first.write(session(3))
        assert await second.store.take(ID, digest(TOKEN)) is None
        redis.start()
        with contextlib.closing(redis.client()) as client:
            client.flushall()
        await asyncio.sleep(2.5)
        stored = await second.store.take(ID, digest(TOKEN))
        assert stored is not None
        assert len(stored.log) == 3


def test_an_owner_outlives_its_gateway(tmp_path: Path) -> None:
    """The next gateway of a cell is the same owner, that of another cell is not."""
    cells = [
        Config.model_validate({"TRANSPORT": {"runtimeDirectory": str(tmp_path / name)}})
        for name in ("a", "b")
    ]
    assert owner_of(cells[0]) == owner_of(cells[0])
    assert owner_of(cells[0]) != owner_of(cells[1])


async def test_a_session_that_ends_while_it_is_written(redis: RedisServer, tmp_path: Path) -> None:
    """It cannot be lost once more; the store goes on with the next one."""
    async with gateways(redis, tmp_path) as (first, second):
        await first.write(session(2))
        assert await second.store.take(ID, digest(TOKEN))
        found = [first.session, None]  # there when its write begins, and not when it is answered
        first.find = lambda _: found.pop(0)
        await first.write(session(3))
        assert (found, first.lost) == ([], [])


async def test_sessions_that_cannot_be_written_at_the_end_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their clients resume where they were only, and that gateway is about to be gone."""
    with running_redis() as server:
        async with gateways(server, tmp_path) as (first, _):
            await first.write(session(1))
            server.kill()
            first.session = session(2)
            first.store.note(first.session)
    (told,) = [record for record in caplog.records if "at the end" in record.getMessage()]
    assert told.fields == {"sessions": 1}  # type: ignore[attr-defined]
