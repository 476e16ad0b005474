"""FileLogger's folders within their bound: room is made before anything is written.

Several processes may write below one path. They share a lock and, in the same file, the number of
bytes of all folders. A process that dies while it writes leaves that number too high, never too
low; it is counted again at each start and with each look for what is too old.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from shared.config.plugins import FileLoggerArgs
from shared.process.clock import SYSTEM, Clock
from shared.session_log import FILE, FOLDER

log = logging.getLogger(__name__)

USAGE = ".usage"
"""File with the lock and the number of bytes."""
QUIET_SECONDS = 600.0
"""Time without a new line after which a session counts as finished, wherever it was; it may have
continued at another machine, which alone hears of its end."""
FULL_SECONDS = 1.0
"""Pause before room is looked for again where none was found."""
HEADROOM = 64
"""One part in so many is freed beyond what is needed, so that folders are seldom listed."""
UNDER_WAY_SHARE = 2
"""Sessions under way have one part in so many of the bytes. The rest is for finished ones, so that
a flood of frames does not push out the evidence of accepted sessions."""
DAY = 86_400.0
TAIL = 65_536
"""Bytes at the end of a log in which its last line stands."""


class SessionEnding(IntEnum):
    """How a session ended, in the order in which folders go."""

    REFUSED = 0
    UNKNOWN = 1
    ACCEPTED = 2


class Folder(NamedTuple):
    """A session's folder.

    Attributes:
        outcome: how the session ended.
        changed: time of its last line, seconds of the epoch.
        name: the session's id.
        size: bytes of its files.
    """

    outcome: SessionEnding
    changed: float
    name: str
    size: int


class SessionFolders:
    """The folders below one path.

    Args:
        args: arguments of FileLogger.
        clock: tells how old a folder is.

    Raises:
        OSError: the path cannot be written.
    """

    def __init__(self, args: FileLoggerArgs, *, clock: Clock = SYSTEM) -> None:
        self._path = Path(args.path)
        self._max_bytes = args.maxBytes
        self._max_age = args.maxAgeDays * DAY
        self._clock = clock
        self._known: dict[str, tuple[int, Folder]] = {}
        self._under_way: dict[str, int] = {}
        self._counted = False
        self._full_until = 0.0
        with self._locked() as usage:  # now, since there may be no room for this file later
            _write_number(usage, _read_number(usage))

    @contextlib.contextmanager
    def room(self, session: str, size: int, *, accepted: bool = False) -> Iterator[bool]:
        """Make room for files of a session under way, and keep it while the block writes them.

        Args:
            session: its id.
            size: bytes to be written.
            accepted: the session has succeeded; what it needs is not bounded by its share.

        Yields:
            Whether there is room; if not, nothing may be written.

        Raises:
            OSError: the folders cannot be looked at.
        """
        if not self._max_bytes:
            yield True
            return
        with self._locked() as usage:
            self._join(session)
            fits = (accepted or self._has_share(session, size)) and self._make_room(usage, size)
            if fits:
                _write_number(usage, _read_number(usage) + size)
                self._under_way[session] += size
            yield fits

    def end(self, session: str) -> None:
        """Note that a session is under way no more."""
        self._under_way.pop(session, None)

    def prune(self, now: float) -> list[str]:
        """Remove what is too old, then what is too much.

        Args:
            now: seconds of the epoch.

        Returns:
            Sessions that were under way here and are quiet for so long that they count as finished.
        """
        with self._locked() as usage:
            folders = self._look(usage)
            quiet = [
                folder.name
                for folder in folders
                if folder.name in self._under_way and folder.changed < now - QUIET_SECONDS
            ]
            for session in quiet:
                self.end(session)
            if self._max_age:
                for folder in self._removable(folders, now):
                    if folder.changed < now - self._max_age:
                        self._remove(usage, folder)
            if self._max_bytes:
                self._reduce(usage, folders, self._max_bytes, now)
        return quiet

    # Bytes

    def _join(self, session: str) -> None:
        """Take up a session; what an earlier process has written of it counts."""
        if session not in self._under_way:
            folder = self._measure(session)
            self._under_way[session] = folder.size if folder else 0

    def _has_share(self, session: str, size: int) -> bool:
        """Whether a session may hold more: as much as the others under way leave."""
        left = self._max_bytes // UNDER_WAY_SHARE - sum(self._under_way.values())
        return self._under_way[session] + size <= left

    def _make_room(self, usage: int, size: int) -> bool:
        """Remove folders where that is needed; whether there is room then."""
        if not self._counted:
            self._look(usage)
        if _read_number(usage) + size <= self._max_bytes:
            return True
        if size > self._max_bytes or self._clock.monotonic() < self._full_until:
            return False
        goal = max(0, self._max_bytes - size - self._max_bytes // HEADROOM)
        self._reduce(usage, self._look(usage), goal, self._clock.wall())
        if _read_number(usage) + size <= self._max_bytes:
            return True
        self._full_until = self._clock.monotonic() + FULL_SECONDS
        return False

    def _reduce(self, usage: int, folders: list[Folder], goal: int, now: float) -> None:
        """Remove folders until all have no more bytes than the goal."""
        for folder in self._removable(folders, now):
            if _read_number(usage) <= goal:
                return
            self._remove(usage, folder)

    def _removable(self, folders: list[Folder], now: float) -> list[Folder]:
        """Folders of finished sessions, those first that go first."""
        return sorted(
            folder
            for folder in folders
            if folder.name not in self._under_way
            and (
                folder.outcome is not SessionEnding.UNKNOWN or folder.changed < now - QUIET_SECONDS
            )
        )

    def _remove(self, usage: int, folder: Folder) -> None:
        shutil.rmtree(self._path / folder.name, ignore_errors=True)
        if not (self._path / folder.name).exists():
            self._known.pop(folder.name, None)
            _write_number(usage, max(0, _read_number(usage) - folder.size))

    # Looking

    def _look(self, usage: int) -> list[Folder]:
        """Measure all folders, and correct the number of their bytes."""
        names = [name for name in os.listdir(self._path) if FOLDER.fullmatch(name)]
        self._known = {name: self._known[name] for name in names if name in self._known}
        folders = [folder for name in names if (folder := self._measure(name)) is not None]
        _write_number(usage, sum(folder.size for folder in folders))
        self._counted = True
        return folders

    def _measure(self, name: str) -> Folder | None:
        """Measure a folder; None where there is none, or it cannot be looked at."""
        path = self._path / name
        try:
            inside = os.stat(path).st_mtime_ns  # a picture was added
            with contextlib.suppress(FileNotFoundError):
                inside = max(inside, os.stat(path / FILE).st_mtime_ns)  # a line was added
            known, folder = self._known.get(name, (0, None))
            if folder is None or known != inside:
                with os.scandir(path) as entries:
                    size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
                folder = Folder(_outcome_of(path / FILE), inside / 1e9, name, size)
                self._known[name] = (inside, folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # another user's, say; the others are looked at all the same
            log.error("%s is never removed: %s", path, error.strerror)
            return None
        return folder

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock of all processes; yields the file with the number of bytes."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        usage = os.open(self._path / USAGE, flags, 0o600)
        try:
            fcntl.flock(usage, fcntl.LOCK_EX)
            yield usage
        finally:
            os.close(usage)


def _read_number(file: int) -> int:
    return int.from_bytes(os.pread(file, 8, 0), "little")


def _write_number(file: int, number: int) -> None:
    os.pwrite(file, number.to_bytes(8, "little"), 0)


def _outcome_of(file: Path) -> SessionEnding:
    """Read from the last line of a log how its session ended."""
    try:
        with open(file, "rb") as log_file:
            log_file.seek(max(0, os.fstat(log_file.fileno()).st_size - TAIL))
            last = json.loads(log_file.read().rstrip(b"\n").rpartition(b"\n")[2])
    except (FileNotFoundError, ValueError):  # no log, or a torn or longer last line
        return SessionEnding.UNKNOWN
    if not isinstance(last, dict) or last.get("event") != "ended":
        return SessionEnding.UNKNOWN
    return SessionEnding.ACCEPTED if last.get("accepted") is True else SessionEnding.REFUSED
