"""Result: decides from what the other plugins say whether the session has succeeded."""

from __future__ import annotations

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from shared.codes import Code


class Result(Plugin):
    """Accepts a frame to which nobody objects, once what the other plugins gather is complete.

    Args:
        needs_best: a best shot must exist (Bestshot is on).
    """

    def __init__(self, *, needs_best: bool) -> None:
        self._needs_best = needs_best

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Ask for further frames while something is missing."""
        if frame.ok and self._needs_best and context.best_seq == 0:
            frame.errors.append(Code.AGGREGATING)
