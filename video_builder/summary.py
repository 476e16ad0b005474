"""The side file of a video, ``SESSION.json``: what the service said of each frame and in the end.

It is written frame by frame, so that its length does not matter, and has no time of its making, so
that a second run writes the same.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TextIO

from shared import __version__
from shared.video_store import SessionMeta


def facts(session: str, meta: SessionMeta | None) -> dict[str, Any]:
    """Return what is known of a session besides its frames."""
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


def tags(session: str, meta: SessionMeta | None) -> dict[str, str]:
    """Return what the video file tells of itself."""
    known = facts(session, meta)
    comment = {name: known[name] for name in ("session", "verdict", "versions")}
    told = {"title": f"Session {session}", "comment": json.dumps(comment)}
    if meta is not None and (opened := _date(meta.opened)):
        told["creation_time"] = opened
    return told


def _date(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError, TypeError):
        return None


class SummaryWriter:
    """Writes a side file: first what is known, then one line a frame, in the end the video.

    Args:
        file: where to write.
        known: what is known before the first frame.
    """

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
        """Write what came of it."""
        self._file.write('\n],\n"video": ' + json.dumps(video) + "\n}\n")
