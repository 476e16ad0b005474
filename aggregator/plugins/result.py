"""Result: accepts the session if no plugin refuses the frame."""

from collections.abc import Callable
from typing import Any, Self

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext
from shared.codes import Code
from shared.config.service import Config


class Result(Plugin):
    """Accepts a frame without codes, once there is a best shot if one is needed."""

    def __init__(self, *, needs_best: bool) -> None:
        self._needs_best = needs_best

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Check whether Bestshot is on."""
        needs_best = config.MIDDLEWARES.WS.Bestshot.isEnabled
        return lambda: cls(needs_best=needs_best)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Ask for more frames while the best shot is missing."""
        if frame.ok and self._needs_best and context.best_seq == 0:
            frame.refuse(Code.AGGREGATING)
