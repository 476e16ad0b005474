"""Requests a sequence of actions, and checks whether the person does them in time."""

import random
from collections.abc import Callable

from aggregator.plugins.actions import (
    Action,
    ActionEnd,
    BlinkAction,
    HeadAction,
    View,
    start_action,
)
from aggregator.plugins.base import FrameJudgement, SessionContext
from aggregator.plugins.reactions import Reactions
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.frame.estimation import Profile

DATA = "activeLiveness"
"""Key of the progress in the session's data; clients read it, whichever plugin requests actions."""

Draw = Callable[[random.Random], list[Action]]
"""Draws a sequence of actions."""


class ActionRun:
    """Requests the actions of a random sequence, one after another.

    Until the sequence is complete, frames are judged in the active profile. A wrong action draws a
    new sequence, so a recording gets ``wrongActionsAllowed`` + 1 tries. An action that was done
    faster than a person can counts as wrong. After the last action ``context.acted`` is set and
    frames are fully judged again.
    """

    def __init__(self, args: ActiveLivenessArgs, draw: Draw) -> None:
        self._args = args
        self._draw = draw
        self._sequence: list[Action] = []
        self._done = 0
        self._action: HeadAction | BlinkAction | None = None
        self._prompt = Code.LOOK_STRAIGHT_YAW
        self._reactions = Reactions()
        self._wrong = 0
        self._started_at = 0.0
        self._asked_at = 0.0

    @property
    def has_started(self) -> bool:
        """Whether the first action was requested."""
        return bool(self._sequence)

    def start(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Request the first action on a frame that passed every check."""
        context.profile = Profile.ACTIVE
        self._started_at = context.now
        self._draw_sequence(context)
        self._advance(context, frame)
        self._report_progress(context)

    def watch(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Judge a frame during the actions; refuse it with the prompt."""
        self._reactions.sent(context.prompted)
        late = context.now - self._asked_at > self._args.actionTimeout
        if late or context.now - self._started_at > self._args.totalTimeout:
            frame.refuse(Code.ACTION_FAILED, end=True)
        elif frame.ok and frame.estimate.profile is Profile.ACTIVE:
            self._advance(context, frame)
        else:
            frame.refuse(self._prompt)
        self._report_progress(context)

    def _draw_sequence(self, context: SessionContext) -> None:
        self._sequence = self._draw(context.random)
        self._done = 0
        self._reactions = Reactions()
        self._ask(context)

    def _ask(self, context: SessionContext) -> None:
        self._action = start_action(self._sequence[self._done], self._args)
        self._asked_at = context.now
        self._reactions.expect()

    def _advance(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Pass a frame to the current action, and to the next one if it completes this one."""
        view = View.of(context.now, frame.estimate)
        if view is None:
            frame.refuse(self._prompt)
            return
        assert self._action is not None
        step = self._action.advance(view)
        if step is ActionEnd.WRONG:
            self._draw_again(context, frame, Code.ACTION_FAILED)
        elif step is ActionEnd.RIGHT:
            assert self._action.shown_at is not None
            self._reactions.shown(self._action.shown_at)
            if self._reactions.are_impossible:
                self._draw_again(context, frame, Code.IMPOSSIBLE_REACTION)
                return
            self._done += 1
            if self._done == len(self._sequence):
                self._finish(context, frame)
                return
            self._ask(context)
            self._advance(context, frame)
        else:
            if step is self._action.prompt:
                self._reactions.ask()
            self._prompt = step
            frame.refuse(step)

    def _draw_again(self, context: SessionContext, frame: FrameJudgement, code: Code) -> None:
        """Start a new sequence after a wrong action; after too many, refuse with the code."""
        self._wrong += 1
        if self._wrong > self._args.wrongActionsAllowed:
            frame.refuse(code, end=True)
            return
        self._draw_sequence(context)
        self._advance(context, frame)

    def _finish(self, context: SessionContext, frame: FrameJudgement) -> None:
        context.acted = True
        context.profile = Profile.PASSIVE
        frame.refuse(Code.AGGREGATING)

    def _report_progress(self, context: SessionContext) -> None:
        """Report the actions done and the time for this one; never reveal the sequence."""
        count = len(self._sequence)
        progress: dict[str, float] = {"action": min(self._done + 1, count), "actions": count}
        if self._done < count:
            ends = self._asked_at + self._args.actionTimeout
            ends = min(ends, self._started_at + self._args.totalTimeout)
            progress["seconds"] = self._args.actionTimeout
            progress["secondsLeft"] = max(0.0, round(ends - context.now, 1))
        context.data[DATA] = progress
