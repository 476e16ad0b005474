"""Detects copies: frames whose pixels were sent before, in this session or another.

No camera delivers the same pixels twice, because its sensor adds noise to every image. So a copy
was stored and sent again, and no plugin gets it. It counts only for ``maxAttempts`` and
``maxLivenessAttempts``, which bound what a session may cost.
"""

from collections.abc import Generator

from aggregator.frame_memory import Claim, FrameMemory
from aggregator.plugins.base import FrameJudgement, Question
from shared.codes import Code
from shared.frame.estimation import Profile

MAX_IN_A_ROW = 3
"""Copies in a row that end the session. One or two come from honest clients that are faster than
their camera, or from drivers that repeat an image to keep their frame rate."""


class CopyCheck:
    """Refuses copies, and ends the session after ``MAX_IN_A_ROW`` of them in a row.

    Pixels are compared by their digest; without a memory, only within this session. A frame without
    a digest failed a check before liveness and does not count anyway. It is not a copy, but does
    not interrupt a row either: otherwise black frames between copies would.
    """

    def __init__(self, session: str, memory: FrameMemory | None) -> None:
        self._session = session
        self._memory = memory
        self._seen: set[bytes] = set()  # at most LIMITS.logFrames
        self._in_a_row = 0

    def check(self, frame: FrameJudgement) -> Generator[Question, bytes | None, None]:
        """Withhold the frame from the plugins if its pixels were sent before."""
        pixels = frame.estimate.pixels
        if pixels is None:
            return
        if pixels in self._seen:
            self._count_copy(frame)
            return
        self._seen.add(pixels)
        # A frame of an action never is the best shot, so it is compared only within its session.
        if self._memory is not None and frame.estimate.profile is Profile.PASSIVE:
            answer = yield self._memory.claim(pixels, self._session, passed=not frame.errors)
            self._apply(frame, answer)
        if not frame.withheld:
            self._in_a_row = 0

    def _apply(self, frame: FrameJudgement, answer: bytes | None) -> None:
        """Apply the answer to a claim; None, as after the death of a gateway, refuses the frame."""
        if answer == Claim.REUSED:
            frame.reused = True
            self._count_copy(frame)
        elif answer == Claim.ACCEPTED:
            frame.reused = True
            frame.withhold(Code.VIRTUAL_CAMERA, end=True)
        elif answer != Claim.FIRST:
            frame.withhold(Code.EXTERNAL_FAILED)

    def _count_copy(self, frame: FrameJudgement) -> None:
        self._in_a_row += 1
        frame.withhold(Code.REPEATED_FRAME, end=self._in_a_row >= MAX_IN_A_ROW)
