"""A bounded FIFO queue of byte strings on disk, which survives a restart."""

import fcntl
import logging
import math
import os
from collections import deque
from pathlib import Path

from shared.errors import ResourceError, os_errors
from shared.process.files import remove_unfinished, write_atomically
from shared.process.outage import Outage

log = logging.getLogger(__name__)

MAX_PROCESSES = 64
"""Processes that may share a folder."""
ESSENTIAL_FACTOR = 1.1
"""Essential entries may exceed the capacity by this factor."""


class Spool:
    """Entries of at most ``capacity`` bytes together, as numbered files of a private folder.

    Each process claims a subfolder of its own; the next process takes over the files of a dead one.

    Raises:
        ResourceError: the folder cannot be created or written, or too many processes share it.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self._capacity = capacity
        self._folder, self._lock = claim(folder)
        found = sorted(self._folder.glob("*.entry"))
        self._entries = deque((path, path.stat().st_size) for path in found)
        self._next = int(found[-1].stem) + 1 if found else 1
        self._error = ""
        place = f"spool {self._folder}"
        self._reading = Outage(log, f"{place} cannot be read", f"{place} can be read again")
        self.bytes = sum(size for _, size in self._entries)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._entries)

    def append(self, entry: bytes, *, essential: bool = False) -> bool:
        """Add an entry; return False if the capacity or the disk is full."""
        limit = self._capacity * (ESSENTIAL_FACTOR if essential else 1.0)
        if self.bytes + len(entry) > limit:
            return False
        path = self._folder / f"{self._next:016d}.entry"
        try:
            write_atomically(path, entry)
        except OSError as error:
            self._log_error(f"cannot be written: {error.strerror}")
            return False
        self._log_error("")
        self._next += 1
        self._entries.append((path, len(entry)))
        self.bytes += len(entry)
        return True

    def oldest(self) -> bytes | None:
        """Read the oldest entry; empty if its file is missing.

        Returns:
            None if it cannot be read now, as without free descriptors or with a failing disk.
        """
        path = self._entries[0][0]
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            self._reading.failed(f"{path.name}: {error.strerror}; remove it if that does not end")
            return None
        self._reading.worked()
        return data

    def oldest_time(self) -> float:
        """Return the Unix time of the oldest entry, in seconds; infinity if it is missing."""
        try:
            return self._entries[0][0].stat().st_mtime
        except FileNotFoundError:
            return math.inf

    def pop(self) -> None:
        """Remove the oldest entry."""
        path, size = self._entries.popleft()
        self.bytes -= size
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._log_error(f"{path.name} is done but cannot be removed: {error.strerror}")

    def _log_error(self, error: str) -> None:
        """Log an error when it first occurs; an empty text ends it."""
        if error and error != self._error:
            log.error("spool %s: %s", self._folder, error)
        self._error = error

    def close(self) -> None:
        """Release the folder for another process."""
        os.close(self._lock)


def claim(folder: Path) -> tuple[Path, int]:
    """Create, lock and tidy the first subfolder that no living process holds.

    Returns:
        Its path, and the descriptor of the lock; closing it releases the subfolder.

    Raises:
        ResourceError: the folder cannot be created or written, or too many processes share it.
    """
    with os_errors(f"folder {folder}", "make it writable or name another"):
        for number in range(MAX_PROCESSES):
            subfolder = folder / str(number)
            subfolder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(subfolder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            remove_unfinished(subfolder)
            return subfolder, lock
    raise ResourceError(f"folder {folder}: {MAX_PROCESSES} processes share it; name another")
