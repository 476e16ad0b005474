"""ActiveLiveness: the person does random actions, which a recording cannot anticipate."""

from __future__ import annotations

from typing import Any

from aggregator.plugins.actions import (
    Action,
    ActionEnd,
    BlinkAction,
    HeadAction,
    View,
    start_action,
)
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.estimation import Profile

DATA = "activeLiveness"


class ActiveLiveness(Plugin):
    """Asks for distinct actions in random order.

    The first frame that passes every check starts the sequence. Until it is complete, frames are
    judged in the active profile. A wrong action starts a new random sequence, so a recording gets
    ``wrongActionsAllowed`` + 1 tries. After the last action, frames are fully judged again for the
    verdict.

    Args:
        args: angles in degrees, timeouts in seconds, counts.
    """

    Args = ActiveLivenessArgs
    gathers = True

    def __init__(self, args: ActiveLivenessArgs) -> None:
        self._args = args
        self._sequence: list[Action] = []
        self._done = 0
        self._action: HeadAction | BlinkAction | None = None
        self._prompt = Code.LOOK_STRAIGHT_YAW
        self._wrong = 0
        self._started_at = 0.0
        self._asked_at = 0.0
        self._cooling = 0

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument."""
        return numbers_of(args)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Refuse every frame until the actions and the cool-down are complete."""
        if context.acted:
            self._cool_down(frame)
        elif self._sequence:
            self._watch(context, frame)
        elif frame.ok and frame.estimate.profile is Profile.PASSIVE:
            context.profile = Profile.ACTIVE
            self._started_at = context.now
            self._draw_sequence(context)
            self._advance(context, frame)
        self._report_progress(context)

    def _draw_sequence(self, context: SessionContext) -> None:
        self._sequence = context.random.sample(list(Action), self._args.interactionsCount)
        self._done = 0
        self._ask(context)

    def _ask(self, context: SessionContext) -> None:
        self._action = start_action(self._sequence[self._done], self._args)
        self._asked_at = context.now

    def _watch(self, context: SessionContext, frame: FrameJudgement) -> None:
        late = context.now - self._asked_at > self._args.actionTimeout
        if late or context.now - self._started_at > self._args.totalTimeout:
            frame.refuse(Code.ACTION_FAILED, end=True)
        elif frame.ok and frame.estimate.profile is Profile.ACTIVE:
            self._advance(context, frame)
        else:
            frame.refuse(self._prompt)

    def _advance(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Pass a frame to the current action, and to the next one if it completes this one."""
        view = View.of(context.now, frame.estimate)
        if view is None:
            frame.refuse(self._prompt)
            return
        assert self._action is not None
        step = self._action.advance(view)
        if step is ActionEnd.WRONG:
            self._wrong += 1
            if self._wrong > self._args.wrongActionsAllowed:
                frame.refuse(Code.ACTION_FAILED, end=True)
                return
            self._draw_sequence(context)
            self._advance(context, frame)
        elif step is ActionEnd.RIGHT:
            self._done += 1
            if self._done == len(self._sequence):
                self._finish(context, frame)
                return
            self._ask(context)
            self._advance(context, frame)
        else:
            self._prompt = step
            frame.refuse(step)

    def _finish(self, context: SessionContext, frame: FrameJudgement) -> None:
        context.acted = True
        context.profile = Profile.PASSIVE
        frame.refuse(Code.AGGREGATING)

    def _cool_down(self, frame: FrameJudgement) -> None:
        """Refuse the first ``cooldownFramesCount`` frames that pass every check."""
        if frame.ok and frame.estimate.profile is Profile.PASSIVE:
            self._cooling += 1
            if self._cooling <= self._args.cooldownFramesCount:
                frame.refuse(Code.AGGREGATING)

    def _report_progress(self, context: SessionContext) -> None:
        """Report how many actions are done; never reveal the sequence."""
        if self._sequence:
            count = len(self._sequence)
            context.data[DATA] = {"action": min(self._done + 1, count), "actions": count}
