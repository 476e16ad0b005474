"""A chain of records on disk: each line names the digest of the line before it.

The files of a chain are ``000001.jsonl`` and so on. Each starts with a record that continues the
chain of the file before. A file is only appended to, and never again after a failed write or the
end of its process: so a line that was left incomplete is always the last one of its file.
"""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared import __version__
from shared.process.clock import SYSTEM, Clock
from shared.process.files import synchronise

FIRST = "0" * 64
"""Digest before the first line."""
TAIL_BYTES = 4_194_304
"""Bytes read of a file to find its last lines; a record of 10,000 frames has some 500 kB."""
Record = dict[str, Any]


def digest_of(line: bytes) -> str:
    """Return the digest that the record after a line must name."""
    return hashlib.sha256(line).hexdigest()


def parse(line: bytes) -> Record | None:
    """Parse a line; None if it is no record."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_record = isinstance(record, dict) and isinstance(record.get("seq"), int)
    return record if is_record and record.keys() >= {"prev", "at", "event"} else None


def files_of(folder: Path) -> list[Path]:
    """Return the files of a chain in order."""
    return sorted(folder.glob("[0-9]*.jsonl"))


class AuditTrail:
    """Appends to the chain of a folder that no other process writes.

    ``seq`` and ``head`` are the number and the digest of the last record; 0 and empty before any.
    """

    def __init__(self, folder: Path, max_bytes: int, *, clock: Clock = SYSTEM) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._clock = clock
        self._file: int | None = None
        self._size = 0
        self._unsure = ""  # digest of the line whose write failed: it may be complete
        self.seq, self.head = 0, ""

    def append(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write one record and synchronise it to disk.

        Raises:
            OSError: it may not be on disk.
        """
        self.open()
        self._write(event, fields)
        if self._size >= self._max_bytes:
            self.close()

    def open(self) -> None:
        """Start a new file, unless the open one is unchanged since this process wrote to it.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None or not self._is_unchanged(self._file):
            self.close()
            self._start_file()

    def close(self) -> None:
        """Close the file; the next record starts another one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def last_records(self) -> list[Record]:
        """Return the last records on disk, of one or two files."""
        lines = [line for path in files_of(self._folder)[-2:] for line in _last_lines(path)]
        return [record for line in lines if (record := parse(line)) is not None]

    def _is_unchanged(self, file: int) -> bool:
        status = os.fstat(file)
        return status.st_size == self._size and status.st_nlink == 1

    def _start_file(self) -> None:
        """Start the next file; its first record says what the file before it ends with.

        ``torn`` is the length of an incomplete last line. ``expected`` is there if that file does
        not end with the last record that this process wrote.
        """
        files = files_of(self._folder)
        number = int(files[-1].stem) + 1 if files else 1
        files = [path for path in files if path.stat().st_size]  # a killed process left others
        lines = _last_lines(files[-1]) if files else []
        records = self.last_records()
        seq = max([self.seq, *(record["seq"] for record in records)])
        head = digest_of(lines[-1]) if lines else FIRST
        fields: Record = {"version": __version__}
        if lines and not _ends_complete(files[-1]):
            fields["torn"] = len(lines[-1])
        if self.head and head not in (self.head, self._unsure) and "torn" not in fields:
            fields["expected"] = self.head
        path = self._folder / f"{number:06d}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file, self._size = os.open(path, flags, 0o600), 0
        self.seq, self.head = seq, head
        try:
            self._write("file", fields)
        except OSError:
            path.unlink()  # on a full disk each try would leave an empty file
            raise
        synchronise(self._folder)

    def _write(self, event: str, fields: Mapping[str, Any]) -> None:
        assert self._file is not None
        record = {"seq": self.seq + 1, "prev": self.head, "at": self._clock.wall(), "event": event}
        line = json.dumps({**record, **fields}, separators=(",", ":")).encode()
        self._unsure = digest_of(line)
        try:
            if os.write(self._file, line + b"\n") != len(line) + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file)
        except OSError:
            self.close()
            raise
        self.seq, self.head = self.seq + 1, digest_of(line)
        self._size += len(line) + 1


def _last_lines(path: Path) -> list[bytes]:
    """Return the last lines of a file, also an incomplete one at its end."""
    with path.open("rb") as file:
        skipped = max(0, path.stat().st_size - TAIL_BYTES)
        file.seek(skipped)
        lines = file.read().split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines[1:] if skipped else lines


def _ends_complete(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
