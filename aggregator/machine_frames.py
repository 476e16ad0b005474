"""The memory of frames in a file, shared by all cells of a machine; it survives restarts.

While the file cannot be used, each aggregator knows only its own sessions' frames and writes them
later.
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from aggregator.frame_file import FrameFile, is_damaged
from aggregator.frame_memory import Claim, LocalFrames, UnsentFrame, answered_at_once
from aggregator.plugins.base import Question
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause after a failed try."""
CHECK_SECONDS = 5.0
"""Pause between two checks that the path still leads to the open file."""
LATE_WRITES = 20
"""Writes caught up in one go after an outage; they delay the current frame."""

Answer = TypeVar("Answer")


class MachineFrames:
    """Frames of the sessions of all cells of this machine.

    Args:
        limits: maximum age and number of frames, for all cells together.
        path: the file, in a private folder; it is created if it does not exist.
        clock: its monotonic clock must be the same for all processes of the machine.
    """

    def __init__(self, limits: LimitsSection, path: Path, *, clock: Clock = SYSTEM) -> None:
        self._limits = limits
        self._path = path
        self._clock = clock
        self._local = LocalFrames(limits, clock=clock)
        self._file: FrameFile | None = None
        self._retry_at = 0.0
        self._check_at = 0.0
        self._unsent: deque[UnsentFrame] = deque(maxlen=limits.reuseFrames)
        self._outage = Outage(log, "memory of frames", f"memory of frames: {path} works again")
        self._try(lambda _: None)

    def claim(self, pixels: bytes, session: str, *, passed: bool) -> Question:
        """Return a question that is answered at once.

        A frame that did not pass is refused in every other session too, by the same networks, so it
        is not worth a write of 50 us.
        """
        claim = self.claim_now if passed else self._local.claim_now
        return answered_at_once(lambda: claim(pixels, session))

    def claim_now(self, pixels: bytes, session: str) -> Claim:
        """Claim a frame in the file and in this process, which decides while the file fails."""
        answer = self._try(lambda file: file.claim(pixels, session))
        if answer in (Claim.REUSED, Claim.ACCEPTED):
            return answer
        claim = self._local.claim_now(pixels, session)
        if answer is None and claim is Claim.FIRST:
            self._unsent.append(UnsentFrame(pixels, session, accepted=False))
        return claim

    def recall(self, pixels: bytes, session: str, answers: Sequence[bytes | None]) -> None:
        """Remember a frame in this process again; the file still has it."""
        self._local.recall(pixels, session, answers)

    def accept(self, pixels: bytes, session: str) -> None:
        """Remember the best shot of an accepted session."""
        self._local.accept(pixels, session)
        if self._try(lambda file: file.accept(pixels, session)) is None:
            self._unsent.append(UnsentFrame(pixels, session, accepted=True))

    def _try(self, use: Callable[[FrameFile], Answer]) -> Answer | None:
        """Use the file; return None if that fails, and for ``RETRY_SECONDS`` after a failure."""
        now = self._clock.monotonic()
        if now < self._retry_at:
            return None
        try:
            file = self._opened(now)
            self._write_unsent(file)
            answer = use(file)
        except (sqlite3.Error, OSError) as error:
            self._retry_at = now + RETRY_SECONDS
            self._outage.failed(f"{self._path}: {error}; each cell compares only its own frames")
            if self._file is not None and is_damaged(error):
                self._file.set_aside()
                self._close()
            return None
        self._outage.worked()
        return answer

    def _opened(self, now: float) -> FrameFile:
        """Return the open file; open it again if the path was removed or replaced."""
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
            write = file.accept if first.accepted else file.claim
            write(first.pixels, first.session)
            self._unsent.popleft()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def close(self) -> None:
        """Close the file."""
        self._close()
