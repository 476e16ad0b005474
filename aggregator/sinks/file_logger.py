"""FileLogger: writes every frame and its estimate to one folder per session."""

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
from shared.config.retention import KEEP_ALL, RetentionSection
from shared.errors import os_errors
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.session_log import BEST_SHOT, FILE, estimate_json, image_name
from shared.wire.records import END

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""Pause after a failed write; events during the pause are dropped."""
PRUNE_SECONDS = 60.0
"""Pause between two removals of old folders."""


def opened_line(info: SessionInfo) -> dict[str, Any]:
    """Return the first line of a session's log."""
    return {
        "event": "opened",
        "session": info.session,
        "at": info.at,
        "mirrored": info.mirrored,
        "client": dict(info.client),
        "start": dict(info.start),
        "version": __version__,
    }


def event_line(event: Event) -> dict[str, Any]:
    """Return an event's line."""
    if isinstance(event, FrameJudged):
        return {
            "event": "frame",
            "seq": event.seq,
            "at": event.at,
            "file": image_name(event.seq, event.received) if event.received else None,
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

    A failed write, such as on a full disk, turns it off for ``RETRY_SECONDS``; sessions continue.

    Raises:
        ResourceError: the folder cannot be created.
    """

    name = "FileLogger"
    waiting = 0

    def __init__(
        self,
        args: FileLoggerArgs,
        retention: RetentionSection = KEEP_ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._path = Path(args.path)
        self._args = args
        place = f"[MIDDLEWARES.WS.FileLogger] args.path {self._path}"
        with os_errors(place, "make it writable or name another"):
            self._folders = SessionFolders(args, retention, clock=clock)
        self._written: dict[str, int] = {}
        self._retry_at = 0.0
        self._pruned_at = float("-inf")
        self._outage = Outage(log, "FILE LOGGER IS OFF", "file logger is on again")
        self.dropped = 0

    @property
    def disabled(self) -> bool:
        """Whether the last write failed."""
        return self._outage.ongoing

    def write(self, event: Event) -> None:
        """Write an event's image, then its line: a line implies a complete image."""
        if self.disabled and self._clock.monotonic() < self._retry_at:
            self.dropped += 1
        else:
            try:
                self._write_or_recreate(event)
            except OSError as error:
                self.dropped += 1
                self._retry_at = self._clock.monotonic() + RETRY_SECONDS
                self._outage.failed(
                    f"{error.strerror} ({self._path}); sessions continue without "
                    f"files, next try in {RETRY_SECONDS:.0f} s"
                )
            else:
                self._outage.worked()
        if event.seq == END:
            self._forget(event.info.session)

    def _forget(self, session: str) -> None:
        self._written.pop(session, None)
        self._folders.end(session)

    def _write_or_recreate(self, event: Event) -> None:
        """Write an event; create the folder again if it was removed."""
        try:
            self._write(event)
        except FileNotFoundError:
            self._forget(event.info.session)
            self._write(event)

    def _write(self, event: Event) -> None:
        info = event.info
        if info.session not in self._written:
            last = self._open(info)
            if last is None:
                self.dropped += 1
                return
            self._written[info.session] = last
        if event.seq <= self._written[info.session]:
            return  # the event is repeated after a restart
        if not self._put(event) and not self._put(event.without_images()):
            self.dropped += 1
        self._written[info.session] = event.seq

    def _put(self, event: Event) -> bool:
        """Write an event if there is room; return whether there was."""
        session, image = event.info.session, _image_file(event)
        line = _encode(event_line(event))
        size = len(line) + (len(image[1]) if image else 0)
        accepted = isinstance(event, SessionEnded) and event.accepted
        with self._folders.reserve(session, size, accepted=accepted) as fits:
            if not fits:
                return False
            if image:
                _write_private(self._path / session / image[0], image[1])
            _append(self._path / session / FILE, line)
        if isinstance(event, FrameJudged) and event.received is None:
            self.dropped += 1  # only the image is missing
        return True

    def _open(self, info: SessionInfo) -> int | None:
        """Create a session's folder, or continue that of an earlier aggregator.

        Returns:
            Number of the last event written; None if there is no room for the first line.
        """
        folder = self._path / info.session
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / FILE
        written = _last_seq(file)
        if written is None:
            line = _encode(opened_line(info))
            with self._folders.reserve(info.session, len(line)) as fits:
                if not fits:
                    return None
                file.unlink(missing_ok=True)
                _append(file, line)
        return written or 0

    def maintain(self) -> None:
        """Remove old folders, and count bytes that other processes wrote."""
        if self._clock.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._clock.monotonic()
            self.prune(self._clock.wall())

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def prune(self, now: float) -> None:
        """Remove folders of finished sessions by age at a Unix time, and by the total of bytes."""
        for session in self._folders.prune(now):
            self._written.pop(session, None)


def _image_file(event: Event) -> tuple[str, bytes] | None:
    """Return the name and the bytes of an event's image."""
    if isinstance(event, FrameJudged):
        received = event.received
        return (image_name(event.seq, received), received) if received else None
    return (BEST_SHOT, event.best_shot.image) if event.best_shot is not None else None


def _encode(line: dict[str, Any]) -> bytes:
    return json.dumps(line, default=str).encode() + b"\n"


def _write_private(path: Path, data: bytes) -> None:
    """Write a complete file or none."""
    try:
        with open(path, "wb", opener=_private) as file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _append(path: Path, data: bytes) -> None:
    """Append a complete line or nothing.

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


def _last_seq(path: Path) -> int | None:
    """Cut off a torn last line; return the number of the last event.

    The number is 0 if there is only the first line, and None if there is no line.
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
