"""Folders of FileLogger: layout, format and a reader.

Each session has a folder named by its id (32 hexadecimal digits): the received frames as
``000001.jpg`` and so on by frame number, ``bestshot.jpg`` as in the token, and ``session.jsonl``
with one JSON object per line: first ``opened``, then ``frame`` for each judged frame in order, then
``ended``. The last line may be missing (the session continues, or its end was lost) or incomplete.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from shared.frame.estimation import Estimate

FILE = "session.jsonl"
BEST_SHOT = "bestshot.jpg"
MAX_OPENING_BYTES = 65_536
"""The first line has the client's description, of at most 8192 characters, and start claims."""
FOLDER = re.compile(r"[0-9a-f]{32}")
_FILE_NAME = re.compile(r"\w[\w.-]*")
_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"))


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """One judged frame.

    Attributes:
        seq: number of the frame in its session.
        at: Unix time of its estimate, in seconds.
        file: name of its image in the folder; None if it could not be decoded or was lost.
        sha256: hexadecimal digest of that file; None without a file or in logs of early versions.
        errors: codes that the client got.
    """

    seq: int
    at: float
    file: str | None
    sha256: str | None
    errors: tuple[int, ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """How a session ended.

    Attributes:
        at: Unix time of the verdict, in seconds.
        best_seq: number of the best shot's frame; 0 if there is none.
        frames: number of frames that were judged and could be decoded.
        bestshot_source: the client's file of the best shot, as in the token; None without a best
            shot or in logs of early versions.
    """

    at: float
    accepted: bool
    errors: tuple[int, ...]
    best_seq: int
    frames: int
    data: dict[str, Any]
    bestshot_source: dict[str, Any] | None = None


@dataclass(slots=True)
class SessionLog:
    """A session's folder.

    Attributes:
        at: Unix time of the session's opening, in seconds.
        verdict: how it ended; None if unknown.
        start: claims of its start token.
    """

    folder: Path
    at: float
    mirrored: bool
    client: dict[str, Any]
    version: str
    frames: list[LoggedFrame] = field(default_factory=list)
    verdict: LoggedVerdict | None = None
    start: dict[str, Any] = field(default_factory=dict)


def image_name(seq: int, image: bytes) -> str:
    """Return the name of a frame's file: its number, and a suffix by its first bytes."""
    suffix = next((name for magic, name in _SUFFIXES if image.startswith(magic)), ".bin")
    return f"{seq:06d}{suffix}"


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON values: every field, bytes in Base64."""
    values: dict[str, Any] = msgspec.to_builtins(estimate)  # bytes become Base64
    return values


def estimate_of(values: Mapping[str, Any]) -> Estimate:
    """Parse an estimate that ``estimate_json`` wrote.

    Raises:
        ValueError: the values are not an estimate.
    """
    return msgspec.convert(values, Estimate)


def folders(path: Path) -> Iterator[Path]:
    """Return the sessions' folders in FileLogger's path, sorted by name."""
    return (entry for entry in sorted(path.iterdir()) if FOLDER.fullmatch(entry.name))


def read_session(folder: Path) -> SessionLog:
    """Read a session's folder; an incomplete last line is ignored.

    Raises:
        ValueError: ``session.jsonl`` is missing or invalid.
    """
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise ValueError(f"{folder / FILE}: {error.strerror}") from error
    log: SessionLog | None = None
    for number, line in enumerate(lines, 1):
        try:
            log = _with_line(folder, log, _object(line))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{folder / FILE}, line {number}: {error!r}") from error
    if log is None:
        raise ValueError(f"{folder / FILE}: no complete line")
    return log


def _object(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise TypeError("the line is not a JSON object")
    return value


def _with_line(folder: Path, log: SessionLog | None, line: dict[str, Any]) -> SessionLog:
    """Add a line to the log; the first line makes it."""
    kind = line.pop("event")
    if log is None:
        if kind != "opened":
            raise ValueError("the first line is not 'opened'")
        line.pop("session")
        return SessionLog(folder, **line)
    if kind == "frame":
        log.frames.append(
            LoggedFrame(
                line["seq"],
                line["at"],
                _file_name(line["file"]),
                line.get("sha256"),
                tuple(line["errors"]),
                estimate_of(line["estimate"]),
            )
        )
    elif kind == "ended":
        line["errors"] = tuple(line["errors"])
        line["best_seq"] = line.pop("bestSeq")
        line["bestshot_source"] = line.pop("bestshotSource", None)
        log.verdict = LoggedVerdict(**line)
    else:
        raise ValueError(f"unknown event {kind!r}")
    return log


def _file_name(value: Any) -> str | None:
    """Check the name of a frame's image: it must be a file in the session's folder."""
    if value is not None and not _FILE_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of an image")
    return value  # type: ignore[no-any-return]


def read_opening(folder: Path) -> dict[str, Any] | None:
    """Read the first line of a session's log; None if it cannot be read."""
    try:
        with (folder / FILE).open("rb") as file:
            line = json.loads(file.readline(MAX_OPENING_BYTES))
    except (OSError, ValueError):
        return None
    return line if isinstance(line, dict) else None
