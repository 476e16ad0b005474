"""FileLogger: every frame and its estimate into one folder a session."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from aggregator.sinks.events import Event, FrameJudged, SessionEnded, SessionInfo
from aggregator.sinks.session_folders import SessionFolders
from shared import __version__
from shared.config.plugins import FileLoggerArgs
from shared.errors import ResourceError
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.session_log import BEST_SHOT, FILE, estimate_json, picture_name
from shared.wire.records import END

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""Pause after a write failed; what comes meanwhile is dropped."""
PRUNE_SECONDS = 60.0
"""Pause between two looks for what is too old or too much."""


def opened_line(info: SessionInfo) -> dict[str, Any]:
    """First line of a session's log."""
    return {
        "event": "opened",
        "session": info.session,
        "at": info.at,
        "mirrored": info.mirrored,
        "client": dict(info.client),
        "version": __version__,
    }


def event_line(event: Event) -> dict[str, Any]:
    """Line of an event."""
    if isinstance(event, FrameJudged):
        return {
            "event": "frame",
            "seq": event.seq,
            "at": event.at,
            "file": picture_name(event.seq, event.received) if event.received else None,
            "sha256": hashlib.sha256(event.received).hexdigest() if event.received else None,
            "errors": list(event.errors),
            "estimate": estimate_json(event.estimate),
        }
    return {
        "event": "ended",
        "at": event.at,
        "accepted": event.accepted,
        "errors": list(event.errors),
        "bestSeq": event.best_seq,
        "frames": event.frames,
        "data": dict(event.data),
        "bestshotSource": event.best_shot.source.claim() if event.best_shot else None,
    }


class FileLogger:
    """Sink of the plugin.

    A disk that is full, or any other fault of writing, turns it off for a while; sessions go on.

    Args:
        args: arguments of the plugin.
        clock: times the pauses, and tells how old a folder is.

    Raises:
        ResourceError: the folder cannot be made.
    """

    name = "FileLogger"
    waiting = 0

    def __init__(self, args: FileLoggerArgs, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._path = Path(args.path)
        self._args = args
        try:
            self._folders = SessionFolders(args, clock=clock)
        except OSError as error:
            raise ResourceError(
                f"[MIDDLEWARES.WS.FileLogger] args.path {self._path}: {error.strerror}; "
                "make it writable or name another"
            ) from error
        self._written: dict[str, int] = {}
        self._retry_at = 0.0
        self._pruned_at = float("-inf")
        self._outage = Outage(log, "FILE LOGGER IS OFF", "file logger writes again")
        self.dropped = 0

    @property
    def disabled(self) -> bool:
        """Whether it cannot write for now."""
        return self._outage.ongoing

    def write(self, event: Event) -> None:
        """Write an event's picture, then its line, so that a line stands for a whole picture."""
        if self.disabled and self._clock.monotonic() < self._retry_at:
            self.dropped += 1
        else:
            try:
                self._write_or_begin_anew(event)
            except OSError as error:
                self.dropped += 1
                self._retry_at = self._clock.monotonic() + RETRY_SECONDS
                self._outage.failed(
                    f"{error.strerror} ({self._path}); sessions go on without "
                    f"files, it tries again every {RETRY_SECONDS:.0f} s"
                )
            else:
                self._outage.worked()
        if event.seq == END:
            self._forget(event.info.session)

    def _forget(self, session: str) -> None:
        self._written.pop(session, None)
        self._folders.end(session)

    def _write_or_begin_anew(self, event: Event) -> None:
        """Write an event; a folder that somebody has removed meanwhile is made anew."""
        try:
            self._write(event)
        except FileNotFoundError:
            self._forget(event.info.session)
            self._write(event)

    def _write(self, event: Event) -> None:
        info = event.info
        if info.session not in self._written:
            last = self._begin(info)
            if last is None:
                self.dropped += 1
                return
            self._written[info.session] = last
        if event.seq <= self._written[info.session]:
            return  # told again after a restart
        if not self._put(event) and not self._put(event.without_pictures()):
            self.dropped += 1
        self._written[info.session] = event.seq

    def _put(self, event: Event) -> bool:
        """Write an event where there is room for it; whether there was."""
        session, picture = event.info.session, _picture(event)
        line = _encode(event_line(event))
        size = len(line) + (len(picture[1]) if picture else 0)
        accepted = isinstance(event, SessionEnded) and event.accepted
        with self._folders.room(session, size, accepted=accepted) as fits:
            if fits and picture:
                _write_private(self._path / session / picture[0], picture[1])
            if fits:
                _append(self._path / session / FILE, line)
                self.dropped += isinstance(event, FrameJudged) and event.received is None
        return fits

    def _begin(self, info: SessionInfo) -> int | None:
        """Make a session's folder, or find what an earlier aggregator wrote.

        Returns:
            Number of the last event written; None where there is no room for the first line.
        """
        folder = self._path / info.session
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / FILE
        written = _last_number(file)
        if written is None:
            line = _encode(opened_line(info))
            with self._folders.room(info.session, len(line)) as fits:
                if not fits:
                    return None
                file.unlink(missing_ok=True)
                _append(file, line)
        return written or 0

    def rest(self) -> None:
        """Remove what is too old, and count what others have written."""
        if self._clock.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._clock.monotonic()
            self.prune(self._clock.wall())

    def close(self) -> None:
        """Nothing is held open."""

    def prune(self, now: float) -> None:
        """Remove finished sessions' folders by age, and by bytes of all together.

        Args:
            now: seconds of the epoch.
        """
        for session in self._folders.prune(now):
            self._written.pop(session, None)


def _picture(event: Event) -> tuple[str, bytes] | None:
    """Name and bytes of the file that an event brings."""
    if isinstance(event, FrameJudged):
        received = event.received
        return (picture_name(event.seq, received), received) if received else None
    return (BEST_SHOT, event.best_shot.image) if event.best_shot is not None else None


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, default=str).encode() + b"\n"


def _write_private(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    try:
        with open(path, "wb", opener=_private) as file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _append(path: Path, data: bytes) -> None:
    """Append a whole line or nothing.

    Raises:
        OSError: it could not be written.
    """
    with open(path, "ab", buffering=0, opener=_private) as file:
        before = file.tell()
        try:
            written = file.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(before)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _last_number(path: Path) -> int | None:
    """Number of the last event of a log, 0 when only its first line is there, None without that.

    A torn last line is cut off.
    """
    try:
        with open(path, "r+b") as file:
            whole = file.read()
            end = whole.rfind(b"\n") + 1
            file.truncate(end)
    except FileNotFoundError:
        return None
    lines = whole[:end].splitlines()
    if not lines:
        return None
    last = json.loads(lines[-1])
    return END if last["event"] == "ended" else int(last.get("seq", 0))
