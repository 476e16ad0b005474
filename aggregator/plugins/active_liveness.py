"""ActiveLiveness: the person does random actions, which a recording cannot anticipate."""

import random
from typing import Any

from aggregator.plugins.action_run import ActionRun
from aggregator.plugins.actions import Action
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.estimation import Profile


class ActiveLiveness(Plugin):
    """Starts an ``ActionRun`` with the first frame that passes every check."""

    Args = ActiveLivenessArgs
    gathers = True

    def __init__(self, args: ActiveLivenessArgs) -> None:
        self._args = args
        self._run = ActionRun(args, self._draw)
        self._cooling = 0

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument."""
        return numbers_of(args)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Refuse every frame until the actions and the cool-down are complete."""
        if context.acted:
            self._cool_down(frame)
        elif self._run.has_started:
            self._run.watch(context, frame)
        elif frame.ok and frame.estimate.profile is Profile.PASSIVE:
            self._run.start(context, frame)

    def _draw(self, chance: random.Random) -> list[Action]:
        return chance.sample(list(Action), self._args.interactionsCount)

    def _cool_down(self, frame: FrameJudgement) -> None:
        """Refuse the first ``cooldownFramesCount`` frames that pass every check."""
        if frame.ok and frame.estimate.profile is Profile.PASSIVE:
            self._cooling += 1
            if self._cooling <= self._args.cooldownFramesCount:
                frame.refuse(Code.AGGREGATING)
