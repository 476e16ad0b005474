"""A session's frames in Redis, between the service that writes them and the worker that films them.

A stream holds the frames, a hash what is known of the session. Both names carry the session id in
braces, so that a Redis cluster keeps them on one node. An entry's id is ``SEQ-1``: a repeated
``XADD`` is refused by Redis, so writing again does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

import msgspec
from redis import Redis

from shared.frame.estimation import Rotation

JOB_FUNCTION = "video_builder.job.build"
CHUNK = 32
"""Frames read at a time; a chunk of full frames stays within some megabytes."""


def frames_key(session: str) -> str:
    """Name of the stream of a session's frames."""
    return f"lunapass:video:{{{session}}}:frames"


def meta_key(session: str) -> str:
    """Name of the hash of what is known of a session."""
    return f"lunapass:video:{{{session}}}:meta"


def job_id(session: str) -> str:
    """Id of the one job that makes a session's video."""
    return f"video-{session}"


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame of a session.

    Attributes:
        seq: number of the frame in its session.
        at: time of its estimate, seconds of the epoch.
        frame: encoded image; of a frame that passed every check the judged pixels as JPEG, else
            what the client sent.
        status: ``{isOk, errors, details}``, with every measure in ``details``.
        rotation: degrees to turn the image clockwise beyond what EXIF says.
    """

    seq: int
    at: float
    frame: bytes
    status: dict[str, Any]
    rotation: Rotation = 0

    @property
    def entry_id(self) -> str:
        """Id of its entry in the stream."""
        return f"{self.seq}-1"


@dataclass(frozen=True, slots=True)
class SessionMeta:
    """What is known of a session once it has ended.

    Attributes:
        opened: time at which it began, seconds of the epoch.
        ended: time of its verdict, seconds of the epoch.
        accepted: the session succeeded.
        errors: codes of the verdict.
        best_seq: number of the best shot's frame; 0 when there is none.
        frames_total: frames that were judged.
        frames_dropped: of those that should be in the stream, how many are missing.
        version: version of the service that wrote it.
    """

    opened: float
    ended: float
    accepted: bool
    errors: list[int] = field(default_factory=list)
    best_seq: int = 0
    frames_total: int = 0
    frames_dropped: int = 0
    version: str = ""


def encode_frame(frame: StoredFrame) -> dict[str, bytes | str]:
    """Fields of a frame's entry in the stream."""
    return {
        "at": repr(frame.at),
        "frame": frame.frame,
        "status": json.dumps(frame.status),
        "rotation": str(frame.rotation),
    }


def decode_frame(entry_id: bytes, entry: Mapping[bytes, bytes]) -> StoredFrame:
    """Read an entry of the stream.

    Raises:
        ValueError: the entry is none of this module's.
    """
    try:
        status = json.loads(entry[b"status"])
        if not isinstance(status, dict):
            raise ValueError("status is no object")
        seq = int(entry_id.partition(b"-")[0])
        rotation = msgspec.convert(int(entry.get(b"rotation", b"0")), Rotation)
        return StoredFrame(seq, float(entry[b"at"]), entry[b"frame"], status, rotation)
    except KeyError as error:
        raise ValueError(f"entry {entry_id!r} lacks {error}") from error


def encode_meta(meta: SessionMeta) -> dict[str, str]:
    """Fields of a session's hash, each a JSON value."""
    return {name: json.dumps(value) for name, value in asdict(meta).items()}


def decode_meta(entry: Mapping[bytes, bytes]) -> SessionMeta:
    """Read a session's hash; fields it does not know are left out.

    Raises:
        ValueError: a field is missing or none of this module's.
    """
    known = {item.name for item in fields(SessionMeta)}
    values = {name.decode(): value for name, value in entry.items()}
    try:
        return SessionMeta(**{n: json.loads(v) for n, v in values.items() if n in known})
    except TypeError as error:
        raise ValueError(f"hash of a session: {error}") from error


def read_meta(redis: Redis, session: str) -> SessionMeta | None:
    """What is known of a session; None while it has not ended or when it is forgotten."""
    entry = cast("dict[bytes, bytes]", redis.hgetall(meta_key(session)))
    return decode_meta(entry) if entry else None


def read_frames(redis: Redis, session: str, *, chunk: int = CHUNK) -> Iterator[StoredFrame]:
    """Read a session's frames in order, a chunk at a time.

    An entry that is none of this module's comes as a frame without bytes.
    """
    start = "-"
    while True:
        found = redis.xrange(frames_key(session), min=start, count=chunk)
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", found)
        for entry_id, entry in entries:
            try:
                yield decode_frame(entry_id, entry)
            except ValueError:
                yield StoredFrame(int(entry_id.partition(b"-")[0]), 0.0, b"", {})
        if len(entries) < chunk:
            return
        start = f"({entries[-1][0].decode()}"


def forget(redis: Redis, session: str) -> None:
    """Remove a session's frames and hash."""
    redis.unlink(frames_key(session), meta_key(session))


def expire(redis: Redis, session: str, seconds: int) -> None:
    """Let Redis forget a session's frames and hash after a time, unless it would sooner."""
    for key in (frames_key(session), meta_key(session)):
        if (left := redis.ttl(key)) == -1 or left > seconds:
            redis.expire(key, seconds)


def keep(redis: Redis, session: str, seconds: int) -> None:
    """Have Redis keep a session's frames and hash for a time at least; negative keeps for good."""
    for key in (frames_key(session), meta_key(session)):
        if seconds < 0:
            redis.persist(key)
        elif 0 <= redis.ttl(key) < seconds:
            redis.expire(key, seconds)
