"""ActiveLiveness: the person does what only a person in front of the camera can know to do."""

from __future__ import annotations

from typing import Any

from aggregator.plugins.actions import Action, ActionEnd, BlinkAction, HeadAction, View, begin
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.estimation import Profile

DATA = "activeLiveness"


class ActiveLiveness(Plugin):
    """Asks for distinct actions in an order that nobody can know before.

    The first frame that passes every check begins the actions; until they are done frames are
    judged in the active profile. A wrong action begins a new sequence, so that a recording gets
    as many tries as mistakes are allowed, and one more. When all is done, frames are judged in
    full again, for the verdict.

    Args:
        args: angles, times and counts.
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
        self._begun_at = 0.0
        self._asked_at = 0.0
        self._cooling = 0

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument."""
        return numbers_of(args)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Ask, watch, and let a frame through only after the last action."""
        if context.acted:
            self._cool_down(frame)
        elif self._sequence:
            self._watch(context, frame)
        elif frame.ok and frame.estimate.profile is Profile.PASSIVE:
            context.profile = Profile.ACTIVE
            self._begun_at = context.now
            self._draw(context)
            self._take(context, frame)
        self._tell(context)

    def _draw(self, context: SessionContext) -> None:
        self._sequence = context.random.sample(list(Action), self._args.interactionsCount)
        self._done = 0
        self._ask(context)

    def _ask(self, context: SessionContext) -> None:
        self._action = begin(self._sequence[self._done], self._args)
        self._asked_at = context.now

    def _watch(self, context: SessionContext, frame: FrameJudgement) -> None:
        late = context.now - self._asked_at > self._args.actionTimeout
        if late or context.now - self._begun_at > self._args.totalTimeout:
            frame.refuse(Code.ACTION_FAILED, end=True)
        elif frame.ok and frame.estimate.profile is Profile.ACTIVE:
            self._take(context, frame)
        else:
            frame.refuse(self._prompt)

    def _take(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Show a frame to the asked action, and to the next one where that is done."""
        view = View.of(context.now, frame.estimate)
        if view is None:
            frame.refuse(self._prompt)
            return
        assert self._action is not None
        step = self._action.see(view)
        if step is ActionEnd.WRONG:
            self._wrong += 1
            if self._wrong > self._args.wrongActionsAllowed:
                frame.refuse(Code.ACTION_FAILED, end=True)
                return
            self._draw(context)
            self._take(context, frame)
        elif step is ActionEnd.RIGHT:
            self._done += 1
            if self._done == len(self._sequence):
                self._finish(context, frame)
                return
            self._ask(context)
            self._take(context, frame)
        else:
            self._prompt = step
            frame.refuse(step)

    def _finish(self, context: SessionContext, frame: FrameJudgement) -> None:
        context.acted = True
        context.profile = Profile.PASSIVE
        frame.refuse(Code.AGGREGATING)

    def _cool_down(self, frame: FrameJudgement) -> None:
        """Let straight, live frames pass by before one may decide."""
        if frame.ok and frame.estimate.profile is Profile.PASSIVE:
            self._cooling += 1
            if self._cooling <= self._args.cooldownFramesCount:
                frame.refuse(Code.AGGREGATING)

    def _tell(self, context: SessionContext) -> None:
        """Show how far the person is; the sequence itself is nobody's to know."""
        if self._sequence:
            count = len(self._sequence)
            context.data[DATA] = {"action": min(self._done + 1, count), "actions": count}
