"""FileLogger: every frame and its estimate into one folder a session."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from aggregator.effects.events import Event, FrameJudged, SessionInfo
from shared import __version__
from shared.clock import SYSTEM, Clock
from shared.config_plugins import FileLoggerArgs
from shared.errors import ResourceError
from shared.messages import END
from shared.session_log import BEST_SHOT, FILE, FOLDER, estimate_json, picture_name

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""Pause after a write failed; what comes meanwhile is dropped."""
PRUNE_SECONDS = 60.0
"""Pause between two looks for what is too old or too much."""
QUIET_SECONDS = 3600.0
"""Time without a new picture after which a session counts as finished. It may have gone on at
another machine, which alone tells its end; if it goes on here, its log is read anew."""
DAY = 86_400.0


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
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"[MIDDLEWARES.WS.FileLogger] args.path {self._path}: {error.strerror}; "
                "make it writable or name another"
            ) from error
        self._written: dict[str, int] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._retry_at = 0.0
        self._pruned_at = float("-inf")
        self.dropped = 0
        self.disabled = False

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
                self._tell(error)
            else:
                self._tell(None)
        if event.seq == END:
            self._written.pop(event.info.session, None)

    def _write_or_begin_anew(self, event: Event) -> None:
        """Write an event; a folder that somebody has removed meanwhile is made anew."""
        try:
            self._write(event)
        except FileNotFoundError:
            self._written.pop(event.info.session, None)
            self._write(event)

    def _write(self, event: Event) -> None:
        info = event.info
        folder = self._path / info.session
        if info.session not in self._written:
            self._written[info.session] = self._begin(folder, info)
        if event.seq <= self._written[info.session]:
            return  # told again after a restart
        line = event_line(event)
        if isinstance(event, FrameJudged):
            if event.received:
                _write_private(folder / line["file"], event.received)
            self.dropped += event.received is None
        elif event.best_shot is not None:
            _write_private(folder / BEST_SHOT, event.best_shot.image)
        _append(folder / FILE, line)
        self._written[info.session] = event.seq

    def _begin(self, folder: Path, info: SessionInfo) -> int:
        """Make a session's folder, or find what an earlier aggregator wrote; the last number."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / FILE
        written = _last_number(file)
        if written is None:
            file.unlink(missing_ok=True)
            _append(file, opened_line(info))
        return written or 0

    def _tell(self, fault: OSError | None) -> None:
        """Log the beginning and the end of a fault, once each."""
        if (fault is not None) == self.disabled:
            return
        self.disabled = fault is not None
        if fault is not None:
            log.error(
                "FILE LOGGER IS OFF: %s (%s); sessions go on without files, it tries again every "
                "%d s",
                fault.strerror,
                self._path,
                RETRY_SECONDS,
            )
        else:
            log.warning("file logger writes again")

    def rest(self) -> None:
        """Remove what is too old, then the oldest of what is too much."""
        if self._clock.monotonic() - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = self._clock.monotonic()
            self.prune(self._clock.wall())

    def close(self) -> None:
        """Nothing is held open."""

    # Retention

    def prune(self, now: float) -> None:
        """Remove finished sessions' folders by age and by bytes of all together, oldest first.

        Args:
            now: seconds of the epoch.
        """
        ages: list[tuple[float, str, int]] = []
        for name in filter(FOLDER.fullmatch, os.listdir(self._path)):
            try:
                measured = self._measure(name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:  # another user's, say; the others are looked at all the same
                log.error("%s is never removed: %s", self._path / name, error.strerror)
                continue
            if measured[0] < now - QUIET_SECONDS:
                self._written.pop(name, None)
            if name not in self._written:
                ages.append(measured)
        ages.sort()
        total = sum(size for _, _, size in ages)
        oldest_allowed = now - self._args.maxAgeDays * DAY if self._args.maxAgeDays else 0.0
        for changed, name, size in ages:
            too_much = self._args.maxBytes and total > self._args.maxBytes
            if changed >= oldest_allowed and not too_much:
                break
            shutil.rmtree(self._path / name, ignore_errors=True)
            self._sizes.pop(name, None)
            total -= size

    def _measure(self, name: str) -> tuple[float, str, int]:
        """Time of a folder's last new file, its name, and the bytes of its files."""
        changed = os.stat(self._path / name).st_mtime_ns
        known, size = self._sizes.get(name, (0, 0))
        if known != changed:
            with os.scandir(self._path / name) as entries:
                size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
            self._sizes[name] = (changed, size)
        return changed / 1e9, name, size


def _write_private(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    try:
        with open(path, "wb", opener=_private) as file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _append(path: Path, line: dict[str, Any]) -> None:
    """Append a whole line or nothing.

    Raises:
        OSError: it could not be written.
    """
    data = json.dumps(line, default=str).encode() + b"\n"
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
