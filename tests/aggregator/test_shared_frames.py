"""The memory of frames in Redis: all machines share their frames, and an outage blocks none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aggregator.frame_memories import frame_memory
from aggregator.frame_memory import Claim
from aggregator.machine_frames import MachineFrames
from aggregator.questions import answer_to, at_once
from aggregator.shared_frames import KEYS, SharedFrames
from shared.config.service import LimitsSection, SessionStoreSection
from shared.process.clock import SYSTEM, Clock
from tests.support.clock import SettableClock
from tests.support.judge import plugin_config
from tests.support.log import logged
from tests.support.redis_server import RedisServer, hanging, running_redis
from tests.support.waiting import until

A, B, C = "a" * 32, "b" * 32, "c" * 32


def picture(number: int) -> bytes:
    return number.to_bytes(16)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-store") as server:
        yield server


@contextlib.asynccontextmanager
async def machines(
    redis: RedisServer,
    count: int = 2,
    *,
    clock: Clock = SYSTEM,
    patience: float = 5.0,
    required: bool = False,
    **limits: float,
) -> AsyncIterator[list[SharedFrames]]:
    """The memories of several machines."""
    section = SessionStoreSection(connectionString=redis.url, timeout=patience, required=required)
    bounds = LimitsSection.model_validate(limits)
    made = [SharedFrames(bounds, section, clock=clock) for _ in range(count)]
    try:
        yield made
    finally:
        for memory in made:
            await memory.close()


async def test_another_machine_knows_the_frame(redis: RedisServer) -> None:
    """It also knows that the frame was accepted.

    The session itself may continue there with its frame.
    """
    async with machines(redis) as (here, there):
        assert await here.claim_now(picture(1), A) is Claim.FIRST
        assert await there.claim_now(picture(1), B) is Claim.REUSED
        assert await there.claim_now(picture(1), A) is Claim.FIRST
        here.accept(picture(1), A)
        await here.close()  # only then is the frame reported
        assert await there.claim_now(picture(1), B) is Claim.ACCEPTED
        assert await there.claim_now(picture(1), A) is Claim.FIRST


async def test_one_of_many_simultaneous_claims_wins(redis: RedisServer) -> None:
    """Sessions on two machines claim the same frame at the same moment."""
    async with machines(redis) as both:
        for number in range(5):
            claims = [
                both[n % 2].claim_now(picture(number), f"{number:016}{n:016}") for n in range(40)
            ]
            assert sorted(await asyncio.gather(*claims)) == [Claim.FIRST] + 39 * [Claim.REUSED]


async def test_a_claim_waits_for_redis(redis: RedisServer) -> None:
    """Unless this process already knows that the frame was accepted."""
    async with machines(redis, 1) as (memory,):
        question = memory.claim(picture(1), A, passed=True)
        assert at_once(question) is None
        assert await answer_to(question) == b"first"
        memory.accept(picture(1), A)
        assert at_once(memory.claim(picture(1), B, passed=True)) == b"accepted"


async def test_the_number_of_frames_is_limited(redis: RedisServer) -> None:
    """The limit holds for all machines together.

    The oldest frames go first; accepted ones have their own limit.
    """
    async with machines(redis, reuseFrames=10) as (here, there):
        here.accept(picture(0), A)
        for number in range(1, 31):
            await here.claim_now(picture(number), A)
        with redis.client() as client:
            sizes = [client.hlen(KEYS[0]), client.zcard(KEYS[1])]
            assert sizes == [10, 10]
            assert all(0 < client.ttl(key) <= 86_400 for key in KEYS[:4])
        assert await there.claim_now(picture(30), B) is Claim.REUSED
        assert await there.claim_now(picture(1), B) is Claim.FIRST
        assert await there.claim_now(picture(0), B) is Claim.ACCEPTED


async def test_frames_expire_after_reuse_seconds(redis: RedisServer) -> None:
    """Nothing is left of the frame then, and no claim extends its time."""
    with redis.client() as client:

        def age(seconds: float) -> None:
            for number in range(20):
                client.zincrby(KEYS[1], -seconds, picture(number))

        async with machines(redis, reuseSeconds=3600) as (memory, other):
            for number in range(20):
                await memory.claim_now(picture(number), A)
            age(3000)
            assert await memory.claim_now(picture(1), A) is Claim.FIRST
            assert await other.claim_now(picture(1), B) is Claim.REUSED
            age(601)
            assert await other.claim_now(picture(1), B) is Claim.FIRST
        assert client.hkeys(KEYS[0]) == [picture(1)]


@pytest.mark.parametrize("step", [20.0, -3600.0, 86_400.0, -10 * 86_400.0])
async def test_a_wrong_machine_clock_forgets_no_frame(redis: RedisServer, step: float) -> None:
    """Only the clock of Redis determines the age of a frame."""
    wrong = SettableClock(SYSTEM.wall() + step)
    async with (
        machines(redis, 1, reuseSeconds=3600) as (right,),
        machines(redis, 1, clock=wrong, reuseSeconds=3600) as (other,),
    ):
        await right.claim_now(picture(1), A)
        await other.claim_now(picture(2), A)
        assert await other.claim_now(picture(1), B) is Claim.REUSED
        assert await right.claim_now(picture(2), B) is Claim.REUSED
        assert await right.claim_now(picture(1), B) is Claim.REUSED


async def test_during_an_outage_each_machine_knows_its_own_frames(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No session is refused because of the outage; its start and end are logged once each."""
    monkeypatch.setattr("aggregator.shared_frames.RETRY_SECONDS", 0.0)
    async with machines(redis) as (here, there):
        await here.claim_now(picture(1), A)
        with logged("aggregator", logging.INFO) as lines:
            redis.kill()
            for _ in range(3):
                assert await here.claim_now(picture(2), A) is Claim.FIRST
                assert await here.claim_now(picture(2), B) is Claim.REUSED
            here.accept(picture(2), A)
            redis.start()
            assert await here.claim_now(picture(3), A) is Claim.FIRST
        assert [line["level"] for line in lines] == ["error", "warning"]
        assert await there.claim_now(picture(3), B) is Claim.REUSED
        assert await there.claim_now(picture(1), B) is Claim.REUSED


async def test_frames_missed_by_redis_are_sent_after_the_outage(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame accepted during the outage is then refused at every machine."""
    monkeypatch.setattr("aggregator.shared_frames.RETRY_SECONDS", 0.01)
    async with machines(redis) as (here, there):
        redis.kill()
        for number in (1, 2):
            assert await here.claim_now(picture(number), A) is Claim.FIRST
        here.accept(picture(2), A)
        await asyncio.sleep(0.05)
        redis.start()
        await until(lambda: count(redis) == 3)
        assert await there.claim_now(picture(1), B) is Claim.REUSED
        assert await there.claim_now(picture(2), B) is Claim.ACCEPTED


def count(redis: RedisServer) -> int:
    """Return the number of entries in Redis."""
    with redis.client() as client:
        return int(client.hlen(KEYS[0])) + int(client.hlen(KEYS[2]))


async def test_the_number_of_unsent_frames_is_limited(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``LIMITS.reuseFrames`` limits them like the frames in Redis; the oldest are dropped."""
    monkeypatch.setattr("aggregator.shared_frames.RETRY_SECONDS", 0.01)
    async with machines(redis, reuseFrames=10) as (here, there):
        redis.kill()
        for number in range(30):
            await here.claim_now(picture(number), A)
        redis.start()
        await until(lambda: count(redis) == 10)
        assert await there.claim_now(picture(29), B) is Claim.REUSED


async def test_a_claim_gets_no_answer_without_a_required_redis(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame then does not count."""
    monkeypatch.setattr("aggregator.shared_frames.RETRY_SECONDS", 0.01)
    redis.kill()
    async with (
        machines(redis, 1, patience=0.2, required=True) as (hasty,),
        machines(redis, 1, patience=60.0, required=True) as (patient,),
    ):
        assert await answer_to(hasty.claim(picture(2), A, passed=True)) is None
        waiting = asyncio.create_task(answer_to(patient.claim(picture(3), A, passed=True)))
        await asyncio.sleep(0.05)
        redis.start()
        assert await waiting == b"first"


async def test_failed_frames_displace_no_passed_ones(redis: RedisServer) -> None:
    """A client may send any number of failing frames, so they have their own limit."""
    async with machines(redis, reuseFrames=2) as (here, there):
        await here.claim_now(picture(0), A)
        for number in range(1, 10):
            assert await answer_to(here.claim(picture(number), C, passed=False)) == b"first"
        assert await there.claim_now(picture(0), B) is Claim.REUSED
        assert await there.claim_now(picture(9), B, passed=False) is Claim.REUSED
        assert await there.claim_now(picture(1), B, passed=False) is Claim.FIRST


async def test_an_unresponsive_redis_delays_one_claim(redis: RedisServer) -> None:
    """Later claims do not wait for it, and the first is answered within its timeout."""
    async with machines(redis, 1, patience=0.2) as (memory,):
        await memory.claim_now(picture(1), A)
        with hanging(redis):
            assert await answer_to(memory.claim(picture(2), A, passed=True)) == b"first"
            claims = [memory.claim_now(picture(number), A) for number in range(100)]
            assert set(await asyncio.gather(*claims)) == {Claim.FIRST}


async def test_frames_lost_at_shutdown_are_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log counts the frames that Redis never got, including that of a cancelled request."""
    monkeypatch.setattr("aggregator.shared_frames.RETRY_SECONDS", 0.01)
    deaf, sending = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Refuse the claim, then never answer the request that sends it later."""
        if deaf.is_set():
            await reader.read(1)
            sending.set()
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        section = SessionStoreSection(connectionString=f"redis://127.0.0.1:{port}/0", timeout=60.0)
        memory = SharedFrames(LimitsSection(), section)
        assert await memory.claim_now(picture(1), A) is Claim.FIRST
        deaf.set()
        await asyncio.wait_for(sending.wait(), 60)
        await memory.close()
    assert "1 frames were never sent to Redis" in caplog.text


@pytest.mark.parametrize(
    ("limits", "store", "kind"),
    [
        ({}, "", MachineFrames),
        ({}, "redis://127.0.0.1:9/0", SharedFrames),
        ({"reuseSeconds": 0}, "redis://127.0.0.1:9/0", type(None)),
        ({"reuseFrames": 0}, "", type(None)),
    ],
)
async def test_the_configuration_chooses_the_memory(
    limits: dict[str, int], store: str, kind: type, tmp_path: Path
) -> None:
    """The memory is in Redis if there is a session store; ``reuseSeconds = 0`` turns it off."""
    sections = {
        "LIMITS": limits,
        "SESSION_STORE": {"connectionString": store},
        "TRANSPORT": {"runtimeDirectory": str(tmp_path)},
    }
    memory = frame_memory(plugin_config({}, **sections))
    assert type(memory) is kind
    if memory is not None:
        await memory.close()
