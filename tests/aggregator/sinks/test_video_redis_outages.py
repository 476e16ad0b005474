"""VideoRedis survives outages of a real redis-server that is killed, full, unresponsive or busy."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from aggregator.sinks import video_redis
from tests.support.events import JPEG, ended, judged
from tests.support.redis_server import RedisServer, running_redis
from tests.support.video_sink import FRAMES, deliver, dropped, play, plugin, queued, stored


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(user="lunapass-video") as server:
        yield server


def test_an_outage_is_bridged_by_the_spool(redis: RedisServer, tmp_path: Path) -> None:
    """Redis is killed and the aggregator restarted meanwhile; everything arrives in order."""
    with plugin(redis.url, tmp_path) as sink:
        for seq in range(1, 5):
            sink.write(judged(1, seq))
        redis.kill()
        for seq in range(5, 8):
            sink.write(judged(1, seq))
        assert sink.disabled
        assert sink.waiting > 3 * len(JPEG)
    with plugin(redis.url, tmp_path) as sink:
        for seq in range(6, FRAMES + 1):  # 6 and 7 are sent again
            sink.write(judged(1, seq))
        sink.write(ended(1, FRAMES))
        play(sink, 2)
        redis.start()
        deliver(sink)
        assert not sink.disabled
        assert sink.dropped == 0
    with redis.client() as client:
        assert stored(client, 1) == stored(client, 2) == list(range(1, FRAMES + 1))
        assert dropped(client, 1) == dropped(client, 2) == 0
        assert len(queued(client)) == 2


def test_frames_over_the_capacity_of_the_spool_are_counted(
    redis: RedisServer, tmp_path: Path
) -> None:
    """A full spool drops frames, never the end of a session, and the session counts them."""
    redis.kill()
    with plugin(redis.url, tmp_path, spoolBytes=7 * len(JPEG)) as sink:
        play(sink, 1)
        assert sink.dropped > 0
        redis.start()
        deliver(sink)
        with redis.client() as client:
            frames = stored(client, 1)
            assert len(frames) > 0
            assert len(frames) + sink.dropped == len(frames) + dropped(client, 1) == FRAMES
            assert len(queued(client)) == 1


def test_frames_lost_by_redis_are_counted(redis: RedisServer, tmp_path: Path) -> None:
    """They count as dropped in the session."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        for seq in range(1, FRAMES + 1):
            sink.write(judged(1, seq))
        client.flushall()
        sink.write(ended(1, FRAMES))
        assert dropped(client, 1) == FRAMES


def test_a_full_redis_is_an_outage(redis: RedisServer, tmp_path: Path) -> None:
    """While Redis is out of memory the frames wait in the spool."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        client.config_set("maxmemory", "1")
        play(sink, 1)
        assert sink.disabled
        client.config_set("maxmemory", "0")
        deliver(sink)
        assert stored(client, 1) == list(range(1, FRAMES + 1))
        assert sink.dropped == 0


def test_a_redis_without_its_replicas_is_an_outage(redis: RedisServer, tmp_path: Path) -> None:
    """A master without its required replicas loses neither frames nor the job."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        client.config_set("min-replicas-to-write", 1)
        play(sink, 1)
        assert sink.disabled
        client.config_set("min-replicas-to-write", 0)
        deliver(sink)
        assert stored(client, 1) == list(range(1, FRAMES + 1))
        assert len(queued(client)) == 1
        assert sink.dropped == 0


def test_a_redis_that_runs_a_long_script_is_an_outage(redis: RedisServer, tmp_path: Path) -> None:
    """A script that blocks Redis delays frames and loses none."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client, redis.client() as other:
        client.config_set("busy-reply-threshold", 1)
        script = threading.Thread(target=run_for_ever, args=(other,))
        script.start()
        wait_until_busy(client)
        play(sink, 1)
        assert sink.disabled
        client.execute_command("SCRIPT", "KILL")
        script.join()
        deliver(sink)
        assert stored(client, 1) == list(range(1, FRAMES + 1))
        assert sink.dropped == 0


def run_for_ever(client: Redis) -> None:
    with contextlib.suppress(ResponseError):  # killed at the end
        client.eval("while true do end", 0)


def wait_until_busy(client: Redis) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.ping()
        except ResponseError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_unresponsive_redis_is_tried_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and never answers takes a small share of the time.

    Each attempt waits for the timeout, so the number of attempts within a time shows that share.
    """
    timeout, tries = 0.1, list[socket.socket]()
    monkeypatch.setattr(video_redis, "REDIS_TIMEOUT", timeout)

    def accept(deaf: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed at the end
            while True:
                tries.append(deaf.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        accepting = threading.Thread(target=accept, args=(deaf,))
        accepting.start()
        address = f"redis://127.0.0.1:{deaf.getsockname()[1]}"
        with plugin(address, tmp_path) as sink:
            begun = time.monotonic()
            while time.monotonic() - begun < 2.0:
                sink.write(judged(1, 1))
            elapsed = time.monotonic() - begun
            assert 0 < len(tries) * timeout < 0.4 * elapsed
            assert sink.waiting > 0
        deaf.shutdown(socket.SHUT_RDWR)
        accepting.join()
    for connection in tries:
        connection.close()


def test_a_damaged_spool_entry_is_skipped(redis: RedisServer, tmp_path: Path) -> None:
    """It is counted, and the rest is delivered."""
    redis.kill()
    with plugin(redis.url, tmp_path) as sink:
        play(sink, 1)
        (tmp_path / "0" / "0000000000000003.entry").write_bytes(b"\xc1")
        redis.start()
        deliver(sink)
        with redis.client() as client:
            assert stored(client, 1) == [1, 2, *range(4, FRAMES + 1)]
            assert dropped(client, 1) == 1


def test_a_temporarily_unreadable_spool_entry_is_delivered_later(
    redis: RedisServer, tmp_path: Path
) -> None:
    """It is not taken for a damaged one, and later entries wait for it."""
    redis.kill()
    with plugin(redis.url, tmp_path) as sink:
        play(sink, 1)
        entry = tmp_path / "0" / "0000000000000003.entry"
        entry.rename(tmp_path / "away")
        entry.mkdir()
        redis.start()
        with redis.client() as client:
            while stored(client, 1) != [1, 2]:
                sink.maintain()
            sink.maintain()
            assert stored(client, 1) == [1, 2]
            entry.rmdir()
            (tmp_path / "away").rename(entry)
            deliver(sink)
            assert stored(client, 1) == list(range(1, FRAMES + 1))
            assert sink.dropped == 0


@pytest.mark.parametrize("durable", ["yes", "no"])
def test_a_redis_without_persistence_is_logged_once(
    redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, durable: str
) -> None:
    """Without the append-only file a crash of Redis would lose jobs: one warning, not more."""
    with plugin(redis.url, tmp_path) as sink, redis.client() as client:
        client.config_set("appendonly", durable)
        play(sink, 1)
        play(sink, 2)
        assert len(queued(client)) == 2
    assert caplog.text.count("appendonly off") == (durable == "no")
