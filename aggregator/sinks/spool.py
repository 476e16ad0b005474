"""A bounded first-in-first-out queue of byte strings on disk, which outlives its process."""

from __future__ import annotations

import fcntl
import logging
import os
from collections import deque
from pathlib import Path

from shared.errors import ResourceError
from shared.process.files import remove_unfinished, write_atomically

log = logging.getLogger(__name__)

SHELVES = 64
"""Processes that may share a folder."""
OVER = 1.1
"""Share of the capacity up to which entries go in that must not be lost."""


class Spool:
    """Entries as numbered files of a private folder.

    Each process claims a subfolder of its own; the one that comes after a dead process finds what
    that has left.

    Args:
        folder: where the subfolders are.
        capacity: bytes that may be held.

    Raises:
        ResourceError: the folder cannot be made or written, or too many processes share it.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        self._capacity = capacity
        self._folder, self._lock = claim(folder)
        found = sorted(self._folder.glob("*.entry"))
        self._entries = deque((path, path.stat().st_size) for path in found)
        self._next = int(found[-1].stem) + 1 if found else 1
        self._fault = ""
        self.bytes = sum(size for _, size in self._entries)

    def __len__(self) -> int:
        """Number of entries."""
        return len(self._entries)

    def append(self, entry: bytes, *, must: bool = False) -> bool:
        """Add an entry.

        Args:
            entry: any bytes.
            must: take it somewhat above the capacity too.

        Returns:
            False when there is no room, in the capacity or on the disk.
        """
        most = self._capacity * (OVER if must else 1.0)
        if self.bytes + len(entry) > most:
            return False
        path = self._folder / f"{self._next:016d}.entry"
        try:
            write_atomically(path, entry)
        except OSError as error:
            self._tell(f"cannot be written: {error.strerror}")
            return False
        self._tell("")
        self._next += 1
        self._entries.append((path, len(entry)))
        self.bytes += len(entry)
        return True

    def oldest(self) -> bytes:
        """Read the oldest entry; empty when its file is gone or cannot be read."""
        try:
            return self._entries[0][0].read_bytes()
        except OSError:
            return b""

    def pop(self) -> None:
        """Remove the oldest entry."""
        path, size = self._entries.popleft()
        self.bytes -= size
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._tell(f"{path.name} is done and stays: {error.strerror}")

    def _tell(self, fault: str) -> None:
        """Log what is wrong, once for as long as it is."""
        if fault and fault != self._fault:
            log.error("spool %s: %s", self._folder, fault)
        self._fault = fault

    def close(self) -> None:
        """Leave the folder to another process."""
        os.close(self._lock)


def claim(folder: Path) -> tuple[Path, int]:
    """Make, lock and tidy the first subfolder that no living process holds.

    Returns:
        Its path, and the lock's descriptor: closed, it leaves the subfolder to others.

    Raises:
        ResourceError: the folder cannot be made or written, or too many processes share it.
    """
    try:
        for number in range(SHELVES):
            shelf = folder / str(number)
            shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(shelf / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            remove_unfinished(shelf)
            return shelf, lock
    except OSError as error:
        raise ResourceError(
            f"folder {folder}: {error.strerror}; make it writable or name another"
        ) from error
    raise ResourceError(f"folder {folder}: {SHELVES} processes share it; name another")
