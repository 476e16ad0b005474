"""The memory of frames in a file: one for all cells of a machine, which outlives their processes.

Where the file cannot be used, each aggregator knows its own sessions' frames only, and writes them
when it can be used again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from aggregator.frame_file import FrameFile, is_damaged
from aggregator.frame_memory import LOCAL_SECONDS, Claim, LocalFrames, Unsent
from aggregator.plugins.base import Question
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""After a failed try until the next one."""
CHECK_SECONDS = 5.0
"""Between two looks whether the path still leads to the file that is open."""
LATE_WRITES = 20
"""Writes of an outage that are made up for at once; they hold up the frame that comes then."""

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
        self._file: FrameFile | None = None
        self._retry_at = 0.0
        self._check_at = 0.0
        self._unsent: deque[Unsent] = deque(maxlen=limits.reuseFrames)
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
        claim = self._local.claimed(pixels, session)
        if answer is None and claim is Claim.FIRST:
            self._unsent.append(Unsent(pixels, session, accepted=False))
        return claim

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Know a frame here again; the file has not forgotten it."""
        self._local.recall(pixels, session, answers)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of a session that is accepted."""
        self._local.accept(pixels, session)
        if self._try(lambda file: file.accept(pixels, session)) is None:
            self._unsent.append(Unsent(pixels, session, accepted=True))

    def _try(self, use: Callable[[FrameFile], Answer]) -> Answer | None:
        """Use the file; None where it cannot be used, and for a while after that."""
        now = self._clock.monotonic()
        if now < self._retry_at:
            return None
        try:
            file = self._opened(now)
            self._write_unsent(file)
            answer = use(file)
        except (sqlite3.Error, OSError) as error:
            self._retry_at = now + RETRY_SECONDS
            self._outage.failed(f"{self._path}: {error}; each cell knows its own only")
            if self._file is not None and is_damaged(error):
                self._file.set_aside()
                self._close()
            return None
        self._outage.worked()
        return answer

    def _opened(self, now: float) -> FrameFile:
        """The file at the path, which may have been removed or replaced since it was opened."""
        if self._file is not None and now >= self._check_at:
            self._check_at = now + CHECK_SECONDS
            if not self._file.in_place():
                log.error("memory of frames: %s was removed or replaced", self._path)
                self._close()
        if self._file is None:
            self._file = FrameFile(self._path, self._limits, self._clock)
        return self._file

    def _write_unsent(self, file: FrameFile) -> None:
        for _ in range(min(len(self._unsent), LATE_WRITES)):
            first = self._unsent[0]
            write = file.accept if first.accepted else file.claimed
            write(first.pixels, first.session)
            self._unsent.popleft()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def close(self) -> None:
        """Close the file."""
        self._close()
