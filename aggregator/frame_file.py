"""The file of remembered frames: two tables in SQLite, from digest to session.

SQLite keeps the file valid if a process is killed during a write, and serializes the writes of
processes. The file need not survive a crash of the machine, so no write waits for the disk; a
damaged file is set aside.
"""

import contextlib
import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from aggregator.frame_memory import Claim
from shared.config.service import LimitsSection
from shared.process.clock import Clock

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.1
"""Wait for another cell's write, which takes microseconds unless that process is stopped."""
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS {table} (
  number INTEGER PRIMARY KEY AUTOINCREMENT, pixels BLOB NOT NULL UNIQUE, session TEXT NOT NULL,
  at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS {table}_at ON {table} (at);
"""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time open the file: SQLite refuses concurrent changes of journal_mode.

    The lock has its own file, because closing any descriptor of a database drops SQLite's locks.
    """
    lock = path.with_suffix(".lock")
    lock.touch(mode=0o600)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_damaged(error: Exception) -> bool:
    """Return whether an error means that the file is not a valid database."""
    return getattr(error, "sqlite_errorcode", None) in DAMAGED


def _set_aside(path: Path) -> None:
    """Rename a damaged file, to allow an investigation."""
    log.error("memory of frames: %s is damaged; a new file is created", path)
    path.replace(path.with_suffix(".damaged"))
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


class FrameFile:
    """Two tables of digests and their sessions; each write is one transaction.

    A damaged file is replaced.

    Raises:
        OSError: the file cannot be created.
        sqlite3.Error: it cannot be used.
    """

    def __init__(self, path: Path, limits: LimitsSection, clock: Clock) -> None:
        self._seconds, self._max_frames = limits.reuseSeconds, limits.reuseFrames
        self._monotonic = clock.monotonic
        self._path = path
        with _locked(path):
            try:
                self._open()
            except sqlite3.Error as error:
                if not is_damaged(error):
                    raise
                _set_aside(path)
                self._open()

    def _open(self) -> None:
        self._path.touch(mode=0o600)
        self._inode = self._path.stat().st_ino
        # isolation_level None: only this class starts transactions.
        self._database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare()
        except sqlite3.Error:
            self._database.close()
            raise

    def in_place(self) -> bool:
        """Return whether the path still leads to this file."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def set_aside(self) -> None:
        """Set the file aside, unless another cell did; ignore a folder that cannot be written."""
        with contextlib.suppress(OSError), _locked(self._path):
            if self.in_place():
                _set_aside(self._path)

    def _prepare(self) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode = WAL")  # a killed process cannot damage it
        run("PRAGMA synchronous = OFF")
        for table in ("claimed", "accepted"):
            self._database.executescript(_SCHEMA.format(table=table))
            # Times in the future are from before a reboot, which resets the monotonic clock.
            run(f"UPDATE {table} SET at = ?1 WHERE at > ?1", (self._monotonic(),))  # noqa: S608

    def claim(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame for a session."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._owner("accepted", pixels) not in (None, session):
                return Claim.ACCEPTED
            owner = self._owner("claimed", pixels)
            if owner is None:
                self._add("claimed", pixels, session)
        return Claim.FIRST if owner in (None, session) else Claim.REUSED

    def accept(self, pixels: bytes, session: str) -> Claim:
        """Store the best shot of an accepted session."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._owner("accepted", pixels) is None:
                self._add("accepted", pixels, session)
        return Claim.ACCEPTED

    def _owner(self, table: str, pixels: bytes) -> str | None:
        found = self._database.execute(
            f"SELECT session FROM {table} WHERE pixels = ? AND at > ?",  # noqa: S608
            (pixels, self._monotonic() - self._seconds),
        ).fetchone()
        return None if found is None else str(found[0])

    def _add(self, table: str, pixels: bytes, session: str) -> None:
        """Store a frame's session; delete frames that are too old or too many."""
        now = self._monotonic()
        run = self._database.execute
        run(
            f"INSERT OR REPLACE INTO {table} (pixels, session, at) VALUES (?, ?, ?)",  # noqa: S608
            (pixels, session, now),
        )
        run(f"DELETE FROM {table} WHERE at <= ?", (now - self._seconds,))  # noqa: S608
        run(
            f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?",  # noqa: S608
            (self._max_frames,),
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()
