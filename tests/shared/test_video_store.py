"""Frames of a session in a real Redis are read as written, once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from shared import video_store
from shared.video_store import SessionMeta, StoredFrame
from tests.support.redis_server import RedisServer, running_redis

SESSION = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(redis: RedisServer) -> None:
    redis.client().flushall()


def write(redis: RedisServer, *frames: StoredFrame) -> None:
    with redis.client() as client:
        for frame in frames:
            fields = video_store.encode_frame(frame)
            client.xadd(video_store.frames_key(SESSION), fields, id=frame.entry_id)


def frame(seq: int) -> StoredFrame:
    status = {"isOk": False, "errors": [12, 13], "details": {"ags": 0.5}}
    return StoredFrame(seq, 1_700_000_000.123456 + seq, bytes([seq % 256]) * 1000, status)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
def test_frames_are_read_as_written(redis: RedisServer, count: int) -> None:
    """For any number of chunks, every frame is read in order and unchanged."""
    frames = [frame(seq) for seq in range(1, count + 1)]
    write(redis, *frames)
    with redis.client() as client:
        assert list(video_store.read_frames(client, SESSION)) == frames


def test_a_frame_is_stored_with_its_rotation(redis: RedisServer) -> None:
    """An old entry without rotation has 0; an invalid rotation is an error."""
    write(redis, replace(frame(1), rotation=90))
    with redis.client() as client:
        for seq, rotation in ((2, None), (3, "45"), (4, "left")):
            fields = video_store.encode_frame(frame(seq))
            if rotation is None:
                del fields["rotation"]
            else:
                fields["rotation"] = rotation
            client.xadd(video_store.frames_key(SESSION), fields, id=f"{seq}-1")
        found = list(video_store.read_frames(client, SESSION))
    assert found[:2] == [replace(frame(1), rotation=90), frame(2)]
    assert [one.frame for one in found[2:]] == [b"", b""]


def test_a_repeated_frame_is_refused(redis: RedisServer) -> None:
    """An entry's id is the frame's number, so a repetition changes nothing."""
    write(redis, frame(1), frame(5))
    for seq in (1, 3, 5):
        with pytest.raises(ResponseError, match="equal or smaller"):
            write(redis, frame(seq))
    with redis.client() as client:
        assert [f.seq for f in video_store.read_frames(client, SESSION)] == [1, 5]


def test_meta_is_read_as_written(redis: RedisServer) -> None:
    """All fields are read; unknown fields of a later version are ignored."""
    meta = SessionMeta(1.5, 9.25, False, [40], 3, 17, 2, "1.0")
    with redis.client() as client:
        assert video_store.read_meta(client, SESSION) is None
        client.hset(video_store.meta_key(SESSION), mapping=video_store.encode_meta(meta))
        client.hset(video_store.meta_key(SESSION), "later", "1")
        assert video_store.read_meta(client, SESSION) == meta


@pytest.mark.parametrize(
    "entry",
    [{}, {b"at": b"1", b"frame": b""}, {b"at": b"x", b"frame": b"", b"status": b"{}"}]
    + [{b"at": b"1", b"frame": b"", b"status": text} for text in (b"[]", b"{", b"1")],
)
def test_an_invalid_entry_is_refused(entry: dict[bytes, bytes]) -> None:
    """It is an error."""
    with pytest.raises(ValueError):  # noqa: PT011  json and float word it each their own way
        video_store.decode_frame(b"1-1", entry)


def test_an_invalid_entry_among_frames_is_a_frame_without_bytes(redis: RedisServer) -> None:
    """It does not hide the frames after it."""
    write(redis, frame(1))
    with redis.client() as client:
        client.xadd(video_store.frames_key(SESSION), {"noise": "1"}, id="2-1")
        write(redis, frame(3))
        found = list(video_store.read_frames(client, SESSION))
    assert [(item.seq, bool(item.frame)) for item in found] == [(1, True), (2, False), (3, True)]


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [(None, 50, 50), (100, 50, 50), (20, 50, 20)],
)
def test_frames_of_a_finished_video_expire_soon(
    redis: RedisServer, given: int | None, asked: int, expected: int
) -> None:
    """They never expire later than before."""
    write(redis, frame(1))
    key = video_store.frames_key(SESSION)
    with redis.client() as client:
        if given is not None:
            client.expire(key, given)
        video_store.expire(client, SESSION, asked)
        assert expected - 2 <= client.ttl(key) <= expected


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [(None, 50, -1), (100, 50, 100), (20, 50, 50), (20, -1, -1)],
)
def test_frames_of_a_failed_video_are_stored_as_long_as_its_job(
    redis: RedisServer, given: int | None, asked: int, expected: int
) -> None:
    """They never expire sooner than before."""
    write(redis, frame(1))
    key = video_store.frames_key(SESSION)
    with redis.client() as client:
        if given is not None:
            client.expire(key, given)
        video_store.retain(client, SESSION, asked)
        assert min(expected, expected - 2 if expected > 0 else -1) <= client.ttl(key) <= expected
