"""Which frames of a session are copies of frames that were sent before.

No camera delivers the same pixels twice: its sensor adds noise to each picture. So a copy was
stored and sent again, and counts for nothing.
"""

from __future__ import annotations

from aggregator.plugins.base import FrameJudgement
from shared.codes import Code

MAX_IN_A_ROW = 3
"""Copies in a row that end the session. One or two come from honest clients that are faster than
their camera, or from drivers that deliver a picture twice to keep up their frame rate."""


class CopyCheck:
    """Refuses copies, and ends the session after ``MAX_IN_A_ROW`` of them in a row.

    The pixels are compared by their digest. A frame without one failed a check before liveness, so
    that it counts for nothing anyway. It is no copy, and does not interrupt a row either: otherwise
    black frames between copies would.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()  # at most LIMITS.logFrames
        self._in_a_row = 0

    def look(self, frame: FrameJudgement) -> None:
        """Refuse the frame if an earlier one of the session has the same pixels."""
        pixels = frame.estimate.pixels
        if pixels is None:
            return
        if pixels in self._seen:
            self._refuse(frame)
        else:
            self._seen.add(pixels)
            self._in_a_row = 0

    def _refuse(self, frame: FrameJudgement) -> None:
        """Refuse a copy by code 72 alone; its other codes are those of the frame it copies."""
        self._in_a_row += 1
        frame.copied = True
        frame.errors.clear()
        frame.refuse(Code.REPEATED_FRAME, end=self._in_a_row >= MAX_IN_A_ROW)
