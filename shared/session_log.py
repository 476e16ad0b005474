"""Folders of FileLogger: how they are laid out, what is written, and a reader.

One folder a session, named by the session's id (32 hexadecimal digits): the frames as they came,
``000001.jpg`` and so on by their numbers, ``bestshot.jpg`` as the token shows it, and
``session.jsonl`` with one JSON object a line: ``opened`` first, then ``frame`` for each judged
frame in order, then ``ended``. The last line may be missing (the session goes on, or its end was
lost) or torn.
"""

from __future__ import annotations

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
FOLDER = re.compile(r"[0-9a-f]{32}")
_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"))


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """One judged frame.

    Attributes:
        seq: number of the frame in its session.
        at: time of its estimate, seconds of the epoch.
        file: name of its picture in the folder; None when it could not be read or was lost.
        sha256: digest of that file, hexadecimal; None without a file, or of an earlier version.
        errors: codes that the client got.
        estimate: what was measured.
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
        at: time of the verdict, seconds of the epoch.
        accepted: it succeeded.
        errors: codes of the verdict.
        best_seq: number of the best shot's frame; 0 when there is none.
        frames: frames that were judged and could be read.
        data: what the plugins gathered.
        bestshot_source: what the client sent for the best shot, as in the token; None where there
            is no best shot, or of an earlier version.
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
        folder: the folder.
        at: time at which the session began, seconds of the epoch.
        mirrored: the client sent mirrored pictures.
        client: what the client told of itself.
        version: version of the service.
        frames: judged frames in order.
        verdict: how it ended; None when that is not known.
    """

    folder: Path
    at: float
    mirrored: bool
    client: dict[str, Any]
    version: str
    frames: list[LoggedFrame] = field(default_factory=list)
    verdict: LoggedVerdict | None = None


def picture_name(seq: int, picture: bytes) -> str:
    """Name of a frame's file, by its number and what its first bytes are."""
    suffix = next((name for magic, name in _SUFFIXES if picture.startswith(magic)), ".bin")
    return f"{seq:06d}{suffix}"


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """Write an estimate for JSON: every field, the descriptor in Base64."""
    values: dict[str, Any] = msgspec.to_builtins(estimate)  # bytes become Base64
    return values


def estimate_of(values: Mapping[str, Any]) -> Estimate:
    """Read an estimate that ``estimate_json`` wrote.

    Raises:
        ValueError: these values are none.
    """
    return msgspec.convert(values, Estimate)


def folders(path: Path) -> Iterator[Path]:
    """Folders of sessions below FileLogger's path, in the order of their names."""
    return (entry for entry in sorted(path.iterdir()) if FOLDER.fullmatch(entry.name))


def read_session(folder: Path) -> SessionLog:
    """Read a session's folder; a torn last line is passed over.

    Raises:
        ValueError: ``session.jsonl`` is missing or not of this module.
    """
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise ValueError(f"{folder / FILE}: {error.strerror}") from error
    log: SessionLog | None = None
    for number, line in enumerate(lines, 1):
        try:
            log = _take(folder, log, json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{folder / FILE}, line {number}: {error!r}") from error
    if log is None:
        raise ValueError(f"{folder / FILE}: no line is complete")
    return log


def _take(folder: Path, log: SessionLog | None, line: dict[str, Any]) -> SessionLog:
    """Add a line to what was read so far."""
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
                line["file"],
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
