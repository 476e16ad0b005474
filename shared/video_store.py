"""A session's frames in Redis, written by the service and read by the video worker.

A stream has the frames, a hash the session's metadata. Both names contain the session id in braces,
so that a Redis cluster stores them on one node. An entry's id is ``SEQ-1``: Redis refuses a
repeated ``XADD``, so writing a frame twice is harmless.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import msgspec
from redis import Redis

from shared.frame.estimation import Rotation

JOB_FUNCTION = "video_builder.job.build"
CHUNK = 32
"""Frames read at a time; a chunk of large frames has some megabytes."""


def frames_key(session: str) -> str:
    """Return the key of a session's stream of frames."""
    return f"lunapass:video:{{{session}}}:frames"


def meta_key(session: str) -> str:
    """Return the key of a session's hash of metadata."""
    return f"lunapass:video:{{{session}}}:meta"


def job_id(session: str) -> str:
    """Return the id of the one job that builds a session's video."""
    return f"video-{session}"


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame of a session.

    Attributes:
        at: Unix time of its estimate, in seconds.
        frame: encoded image: the judged pixels as JPEG if the frame passed every check, else the
            client's file.
        status: ``{isOk, errors, details}``, with every measure in ``details``.
        rotation: clockwise rotation in addition to EXIF, in degrees.
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
    """Metadata of a session that has ended.

    Attributes:
        opened: Unix time of its opening, in seconds.
        ended: Unix time of its verdict, in seconds.
        best_seq: number of the best shot's frame; 0 if there is none.
        frames_total: number of judged frames.
        frames_dropped: number of frames missing from the stream.
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
    """Return the fields of a frame's entry in the stream."""
    return {
        "at": repr(frame.at),
        "frame": frame.frame,
        "status": json.dumps(frame.status),
        "rotation": str(frame.rotation),
    }


def decode_frame(entry_id: bytes, entry: Mapping[bytes, bytes]) -> StoredFrame:
    """Parse an entry of the stream.

    Raises:
        ValueError: the entry is invalid.
    """
    try:
        status = json.loads(entry[b"status"])
        if not isinstance(status, dict):
            raise ValueError("status is not an object")
        seq = int(entry_id.partition(b"-")[0])
        rotation = msgspec.convert(int(entry.get(b"rotation", b"0")), Rotation)
        return StoredFrame(seq, float(entry[b"at"]), entry[b"frame"], status, rotation)
    except KeyError as error:
        raise ValueError(f"entry {entry_id!r} lacks {error}") from error


def encode_meta(meta: SessionMeta) -> dict[str, str]:
    """Return the fields of a session's hash, each a JSON value."""
    return {name: json.dumps(value) for name, value in asdict(meta).items()}


def decode_meta(entry: Mapping[bytes, bytes]) -> SessionMeta:
    """Parse a session's hash; unknown fields are ignored.

    Raises:
        ValueError: a field is missing or invalid.
    """
    values = {name.decode(): json.loads(value) for name, value in entry.items()}
    return msgspec.convert(values, SessionMeta)


def read_meta(redis: Redis, session: str) -> SessionMeta | None:
    """Return a session's metadata; None before the session ends or after it was removed."""
    entry = cast("dict[bytes, bytes]", redis.hgetall(meta_key(session)))
    return decode_meta(entry) if entry else None


def read_frames(redis: Redis, session: str, *, chunk: int = CHUNK) -> Iterator[StoredFrame]:
    """Yield a session's frames in order, read in chunks; an invalid entry is an empty frame."""
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


def expire(redis: Redis, session: str, seconds: int) -> None:
    """Make Redis delete a session's frames and hash after some seconds at the latest."""
    for key in (frames_key(session), meta_key(session)):
        if (left := redis.ttl(key)) == -1 or left > seconds:
            redis.expire(key, seconds)


def retain(redis: Redis, session: str, seconds: int) -> None:
    """Make Redis store a session's frames and hash for at least some seconds; negative: forever."""
    for key in (frames_key(session), meta_key(session)):
        if seconds < 0:
            redis.persist(key)
        elif 0 <= redis.ttl(key) < seconds:
            redis.expire(key, seconds)
