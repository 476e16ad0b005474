"""The side file of a video, ``SESSION.json``: the status of each frame and the verdict.

It is written frame by frame, so its length does not matter, and has no creation time, so a second
run writes the same bytes.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from shared import __version__
from shared.config.retention import SessionEnding
from shared.video_store import SessionMeta

MAX_LINE = 65_536
"""Characters of a line with metadata; the lines of the frames after it are not read."""


def facts(session: str, meta: SessionMeta | None) -> dict[str, Any]:
    """Return a session's metadata for the side file."""
    if meta is None:
        return {"session": session, "verdict": None, "versions": {"builder": __version__}}
    return {
        "session": session,
        "verdict": {
            "isOk": meta.accepted,
            "errors": meta.errors,
            "bestFrame": meta.best_seq or None,
            "at": meta.ended,
        },
        "opened": meta.opened,
        "framesJudged": meta.frames_total,
        "framesMissing": meta.frames_dropped,
        "versions": {"service": meta.version, "builder": __version__},
    }


def read_ending(side_file: Path) -> SessionEnding:
    """Read from the first lines of a side file how the session ended.

    A file that cannot be read, as one of another user, says nothing: the video is removed by the
    age for unknown endings.
    """
    try:
        with side_file.open() as file:
            _brace, _session, line = (file.readline(MAX_LINE) for _ in range(3))
        verdict = json.loads("{" + line.rstrip(",\n") + "}")["verdict"]
        return SessionEnding.of(accepted=verdict["isOk"], errors=verdict["errors"])
    except (OSError, ValueError, TypeError, KeyError):  # no verdict, or another's file
        return SessionEnding.UNKNOWN


def tags(session: str, meta: SessionMeta | None) -> dict[str, str]:
    """Return the metadata of the video file."""
    known = facts(session, meta)
    comment = {name: known[name] for name in ("session", "verdict", "versions")}
    metadata = {"title": f"Session {session}", "comment": json.dumps(comment)}
    if meta is not None and (opened := _date(meta.opened)):
        metadata["creation_time"] = opened
    return metadata


def _date(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError, TypeError):
        return None


class SummaryWriter:
    """Writes a side file: the session's metadata, one line per frame, then the video."""

    def __init__(self, file: TextIO, known: dict[str, Any]) -> None:
        self._file = file
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in known.items())
        file.write("{\n" + ",\n".join(lines) + ',\n"frames": [')
        self._separator = "\n"

    def add(self, frame: dict[str, Any]) -> None:
        """Write one frame's line."""
        self._file.write(self._separator + json.dumps(frame))
        self._separator = ",\n"

    def finish(self, video: dict[str, Any]) -> None:
        """Write the description of the video."""
        self._file.write('\n],\n"video": ' + json.dumps(video) + "\n}\n")
