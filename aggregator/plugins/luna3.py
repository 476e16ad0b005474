"""Luna3DescriptorQualityCheck: an external LUNA PLATFORM 3 must approve the photo."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from aggregator.plugins.base import FrameJudgement, Plugin, Question, SessionContext
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import Luna3Args
from shared.config.service import Config
from shared.frame.estimation import Profile

if TYPE_CHECKING:
    from aggregator.luna3 import Luna3

DATA = "luna3"


class Luna3DescriptorQualityCheck(Plugin):
    """Refuses a frame whose photo fails the external check or gets no answer.

    With Bestshot on, only a new best shot is sent. If it fails, it is discarded and the previous
    best shot, which has passed, is restored.
    """

    Args = Luna3Args

    def __init__(self, args: Luna3Args, luna: Luna3, *, best_only: bool) -> None:
        self._threshold = args.descriptorQualityThreshold or 0.0
        self._luna = luna
        self._best_only = best_only
        self._approved: dict[int, Any] = {}  # results of best shots by frame number

    @classmethod
    def factory(cls, args: Any, config: Config) -> Luna3Maker:
        """Create the client that all sessions share."""
        return Luna3Maker(cls, args, best_only=config.MIDDLEWARES.WS.Bestshot.isEnabled)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State the threshold and the field, not the address."""
        return {
            "descriptorQualityThreshold": args.descriptorQualityThreshold,
            "qualityField": args.qualityField,
        }

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> Question | None:
        """Ask about a frame without codes; with Bestshot on, only about a new best shot."""
        self._publish_best(context)
        if not frame.ok or frame.estimate.profile is not Profile.PASSIVE:
            return None
        if self._best_only and context.best_seq != frame.seq:
            return None
        photo = frame.shot.image if frame.shot is not None else b""
        return Question(partial(self._luna.ask, photo), self._luna.max_seconds)

    def on_answer(
        self, context: SessionContext, frame: FrameJudgement, answer: bytes | None
    ) -> None:
        """Compare the quality with the threshold; no answer refuses the frame with code 34."""
        super().on_answer(context, frame, answer)
        if answer is not None:
            result = json.loads(answer)
            context.data[DATA] = result  # for this frame's status, even if it is refused
            if result.get("quality", -1.0) < self._threshold or "refused" in result:
                frame.refuse(Code.LOW_AGS)
            elif self._best_only:
                self._approved[frame.seq] = result

    def _publish_best(self, context: SessionContext) -> None:
        """Publish the best shot's result again: the frame before, with its own, may be discarded.

        So the token has the result of its image.
        """
        context.data.pop(DATA, None)
        if context.best_seq in self._approved:
            context.data[DATA] = self._approved[context.best_seq]


class Luna3Maker:
    """Creates the plugins of all sessions with one shared client."""

    def __init__(
        self, kind: type[Luna3DescriptorQualityCheck], args: Luna3Args, *, best_only: bool
    ) -> None:
        # A late import: sessions wait while an aggregator restarts; httpx takes a fifth of that.
        from aggregator.luna3 import Luna3

        self._kind = kind
        self._args = args
        self._best_only = best_only
        self._luna = Luna3(args)

    def __call__(self) -> Any:
        """Create a session's plugin."""
        return self._kind(self._args, self._luna, best_only=self._best_only)

    async def close(self) -> None:
        """Close the client."""
        await self._luna.close()
