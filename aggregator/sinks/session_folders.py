"""FileLogger's folders and their size limit: room is made before anything is written.

Several processes may write below one path. They share a lock file, which also has the total of
bytes of all folders. A process that dies while it writes leaves that total too high, never too low;
it is recounted at every start and every pruning.
"""

import contextlib
import fcntl
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from shared.config.plugins import FileLoggerArgs
from shared.config.retention import KEEP_ALL, RetentionSection, SessionEnding
from shared.process.clock import SYSTEM, Clock
from shared.session_log import FILE, FOLDER

log = logging.getLogger(__name__)

USAGE = ".usage"
"""The lock file, with the total of bytes."""
QUIET_SECONDS = 600.0
"""A session without a new line for this time counts as finished: it may have continued on another
machine, and then its end is recorded only there."""
FULL_SECONDS = 1.0
"""Pause before the next search for room after one that failed."""
HEADROOM_DIVISOR = 64
"""1/64 of the bytes is freed beyond what is needed, so that folders are rarely listed."""
ACTIVE_DIVISOR = 2
"""Active sessions may use 1/2 of the bytes. The rest is for finished ones, so that a flood of
frames does not displace the evidence of accepted sessions."""
DAY = 86_400.0
TAIL_BYTES = 65_536
"""The part of a log that is read to find its last line."""


class Folder(NamedTuple):
    """A session's folder: the Unix time at which its last line was written, and its bytes."""

    ending: SessionEnding
    changed: float
    name: str
    size: int


class SessionFolders:
    """The folders below one path, kept as long as ``args.maxAgeDays`` and the retention allow.

    Raises:
        OSError: the path cannot be written.
    """

    def __init__(
        self,
        args: FileLoggerArgs,
        retention: RetentionSection = KEEP_ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._path = Path(args.path)
        self._max_bytes = args.maxBytes
        self._max_age = args.maxAgeDays * DAY or math.inf
        self._retention = retention
        self._clock = clock
        self._known: dict[str, tuple[int, Folder]] = {}
        self._active: dict[str, int] = {}
        self._counted = False
        self._full_until = 0.0
        with self._locked() as usage:  # create the file now: the disk may be full later
            _write_number(usage, _read_number(usage))

    @contextlib.contextmanager
    def reserve(self, session: str, size: int, *, accepted: bool = False) -> Iterator[bool]:
        """Make room for files of an active session and hold the lock while the block writes them.

        The share of active sessions does not limit one that was accepted.

        Yields:
            Whether there is room for ``size`` bytes; if not, nothing may be written.

        Raises:
            OSError: the folders cannot be read.
        """
        if not self._max_bytes:
            yield True
            return
        with self._locked() as usage:
            self._track(session)
            fits = (accepted or self._has_share(session, size)) and self._make_room(usage, size)
            if fits:
                _write_number(usage, _read_number(usage) + size)
                self._active[session] += size
            yield fits

    def end(self, session: str) -> None:
        """Record that a session is no longer active."""
        self._active.pop(session, None)

    def prune(self, now: float) -> list[str]:
        """Remove folders too old at a Unix time, then folders beyond the size limit.

        Returns:
            Sessions of this process that count as finished because they were quiet for too long.
        """
        with self._locked() as usage:
            folders = self._scan(usage)
            quiet = [
                folder.name
                for folder in folders
                if folder.name in self._active and folder.changed < now - QUIET_SECONDS
            ]
            for session in quiet:
                self.end(session)
            removable = self._removable(folders, now)
            for folder in removable:
                if self._is_expired(folder, now):
                    self._remove(usage, folder)
            if self._max_bytes:
                rest = [folder for folder in removable if not self._is_expired(folder, now)]
                self._reduce(usage, rest, self._max_bytes)
        return quiet

    def _is_expired(self, folder: Folder, now: float) -> bool:
        max_age = min(self._max_age, self._retention.max_age(folder.ending))
        return folder.changed < now - max_age

    # Bytes

    def _track(self, session: str) -> None:
        """Make a session active; files of an earlier process count."""
        if session not in self._active:
            folder = self._measure(session)
            self._active[session] = folder.size if folder else 0

    def _has_share(self, session: str, size: int) -> bool:
        """Return whether a session may grow within the share of all active sessions."""
        left = self._max_bytes // ACTIVE_DIVISOR - sum(self._active.values())
        return self._active[session] + size <= left

    def _make_room(self, usage: int, size: int) -> bool:
        """Remove folders if necessary; return whether there is room."""
        if not self._counted:
            self._scan(usage)
        if _read_number(usage) + size <= self._max_bytes:
            return True
        if size > self._max_bytes or self._clock.monotonic() < self._full_until:
            return False
        goal = max(0, self._max_bytes - size - self._max_bytes // HEADROOM_DIVISOR)
        self._reduce(usage, self._removable(self._scan(usage), self._clock.wall()), goal)
        if _read_number(usage) + size <= self._max_bytes:
            return True
        self._full_until = self._clock.monotonic() + FULL_SECONDS
        return False

    def _reduce(self, usage: int, removable: list[Folder], goal: int) -> None:
        """Remove folders in this order until the total is at most ``goal`` bytes."""
        for folder in removable:
            if _read_number(usage) <= goal:
                return
            self._remove(usage, folder)

    def _removable(self, folders: list[Folder], now: float) -> list[Folder]:
        """Return the folders of finished sessions, in order of removal."""
        return sorted(
            folder
            for folder in folders
            if folder.name not in self._active
            and (folder.ending is not SessionEnding.UNKNOWN or folder.changed < now - QUIET_SECONDS)
        )

    def _remove(self, usage: int, folder: Folder) -> None:
        shutil.rmtree(self._path / folder.name, ignore_errors=True)
        if not (self._path / folder.name).exists():
            self._known.pop(folder.name, None)
            _write_number(usage, max(0, _read_number(usage) - folder.size))

    # Scanning

    def _scan(self, usage: int) -> list[Folder]:
        """Measure all folders and correct the total of bytes."""
        names = [name for name in os.listdir(self._path) if FOLDER.fullmatch(name)]
        self._known = {name: self._known[name] for name in names if name in self._known}
        folders = [folder for name in names if (folder := self._measure(name)) is not None]
        _write_number(usage, sum(folder.size for folder in folders))
        self._counted = True
        return folders

    def _measure(self, name: str) -> Folder | None:
        """Measure a folder; None if it does not exist or cannot be read."""
        path = self._path / name
        try:
            changed_ns = os.stat(path).st_mtime_ns  # of the last image
            with contextlib.suppress(FileNotFoundError):
                changed_ns = max(changed_ns, os.stat(path / FILE).st_mtime_ns)  # of the last line
            known_ns, folder = self._known.get(name, (0, None))
            if folder is None or known_ns != changed_ns:
                with os.scandir(path) as entries:
                    size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
                folder = Folder(_ending_of(path / FILE), changed_ns / 1e9, name, size)
                self._known[name] = (changed_ns, folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # such as another user's folder; the scan continues
            log.error("%s cannot be read and is never removed: %s", path, error.strerror)
            return None
        return folder

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock that all processes share; yield its file, which has the total of bytes."""
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


def _ending_of(file: Path) -> SessionEnding:
    """Read from the last line of a log how the session ended."""
    try:
        with open(file, "rb") as log_file:
            log_file.seek(max(0, os.fstat(log_file.fileno()).st_size - TAIL_BYTES))
            last = json.loads(log_file.read().rstrip(b"\n").rpartition(b"\n")[2])
        if last["event"] == "ended":
            return SessionEnding.of(accepted=last["accepted"] is True, errors=last["errors"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        pass  # no log; or the last line is torn, too long, or no line of a log
    return SessionEnding.UNKNOWN
