"""The memory of frames in a file: one for all cells of a machine, which outlives their processes.

SQLite keeps the file whole where a process is killed in the middle of a write, and lets one process
write at a time. The file does not outlive a crash of the machine for certain, so no write waits for
the disk. Where it cannot be used, each aggregator knows its own sessions' frames only.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from aggregator.frame_memory import LOCAL_SECONDS, Claim, LocalFrames
from aggregator.plugins.base import Question
from shared.clock import SYSTEM, Clock
from shared.config import LimitsSection
from shared.outage import Outage

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.1
"""To wait for another cell's write, which takes microseconds unless that process stands still."""
RETRY_SECONDS = 1.0
"""After a failed try until the next one."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS {table} (
  number INTEGER PRIMARY KEY AUTOINCREMENT, pixels BLOB NOT NULL UNIQUE, session TEXT NOT NULL,
  at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS {table}_at ON {table} (at);
"""
Answer = TypeVar("Answer")


class MachineFrames:
    """Frames of the sessions of all cells of this machine.

    Args:
        limits: the bounds, for all cells together.
        path: of the file, in a private folder; it is made where there is none.
        clock: its monotonic clock is the same for all processes of the machine.
    """

    def __init__(self, limits: LimitsSection, path: Path, *, clock: Clock = SYSTEM) -> None:
        self._limits = limits
        self._path = path
        self._clock = clock
        self._local = LocalFrames(limits, clock=clock)
        self._file: _FrameFile | None = None
        self._retry_at = 0.0
        self._outage = Outage(log, "memory of frames", f"memory of frames: {path} is used again")
        self._try(lambda _: None)

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Ask, and get the answer at once.

        A frame that did not pass is refused in every other session too, by the same networks. So it
        is not worth the time of a write, which is 50 us.
        """
        claimed = self.claimed if passed else self._local.claimed

        def answer() -> bytes:
            return claimed(pixels, session).value

        async def ask() -> bytes:
            return answer()

        return Question(ask, LOCAL_SECONDS, at_once=answer)

    def claimed(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame for a session, in the file and here.

        What is claimed here counts while the file cannot be used.
        """
        answer = self._try(lambda file: file.claimed(pixels, session))
        if answer in (Claim.REUSED, Claim.ACCEPTED):
            return answer
        return self._local.claimed(pixels, session)

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Know a frame here again; the file has not forgotten it."""
        self._local.recall(pixels, session, answers)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of a session that is accepted."""
        self._local.accept(pixels, session)
        self._try(lambda file: file.accept(pixels, session))

    def _try(self, use: Callable[[_FrameFile], Answer]) -> Answer | None:
        """Use the file; None where it cannot be used, and for a while after that."""
        now = self._clock.monotonic()
        if now < self._retry_at:
            return None
        try:
            if self._file is None:
                self._file = _FrameFile(self._path, self._limits, self._clock)
            answer = use(self._file)
        except (sqlite3.Error, OSError) as error:
            self._retry_at = now + RETRY_SECONDS
            self._outage.failed(f"{self._path}: {error}; each cell knows its own only")
            return None
        self._outage.worked()
        return answer

    async def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Be the only process that makes the file: SQLite refuses a change of its mode to the others.

    A file of its own, since closing any descriptor of a database ends SQLite's locks on it.
    """
    path.touch(mode=0o600)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _FrameFile:
    """Two tables of digests and their sessions; each method is one transaction.

    Raises:
        OSError: the file cannot be made.
        sqlite3.Error: it cannot be used.
    """

    def __init__(self, path: Path, limits: LimitsSection, clock: Clock) -> None:
        self._seconds, self._most = limits.reuseSeconds, limits.reuseFrames
        self._monotonic = clock.monotonic
        with _locked(path.with_suffix(".lock")):
            path.touch(mode=0o600)
            # isolation_level None: this class alone begins transactions.
            self._database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except sqlite3.Error:
                self._database.close()
                raise

    def _prepare(self) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode = WAL")  # a killed process cannot damage it
        run("PRAGMA synchronous = OFF")
        for table in ("claimed", "accepted"):
            self._database.executescript(_SCHEMA.format(table=table))
            # Times of the future: the clock began again with the machine.
            run(f"UPDATE {table} SET at = ?1 WHERE at > ?1", (self._monotonic(),))  # noqa: S608

    def claimed(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame for a session."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._owner("accepted", pixels) not in (None, session):
                return Claim.ACCEPTED
            owner = self._owner("claimed", pixels)
            if owner is None:
                self._add("claimed", pixels, session)
        return Claim.FIRST if owner in (None, session) else Claim.REUSED

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of a session that is accepted."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            if self._owner("accepted", pixels) is None:
                self._add("accepted", pixels, session)

    def _owner(self, table: str, pixels: bytes) -> str | None:
        found = self._database.execute(
            f"SELECT session FROM {table} WHERE pixels = ? AND at > ?",  # noqa: S608  ours
            (pixels, self._monotonic() - self._seconds),
        ).fetchone()
        return None if found is None else str(found[0])

    def _add(self, table: str, pixels: bytes, session: str) -> None:
        """Give a frame to a session, and forget what is too old or too much."""
        now = self._monotonic()
        run = self._database.execute
        run(
            f"INSERT OR REPLACE INTO {table} (pixels, session, at) VALUES (?, ?, ?)",  # noqa: S608
            (pixels, session, now),
        )
        run(f"DELETE FROM {table} WHERE at <= ?", (now - self._seconds,))  # noqa: S608
        run(
            f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?",  # noqa: S608
            (self._most,),
        )

    def close(self) -> None:
        self._database.close()
