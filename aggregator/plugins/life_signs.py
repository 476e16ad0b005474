"""LifeSigns: a person blinks, moves and stands before a still background; else an action is asked.

The plugin gathers signs for some seconds. Where all of them speak for a living person, it lets the
session pass without an action. Where one is in doubt, it asks for an action that this doubt does
not touch. It refuses only where the networks are sure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Self

from aggregator.plugins.action_run import ActionRun
from aggregator.plugins.actions import Action
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.signs import Signs, SignsWindow
from aggregator.plugins.virtual_camera import DATA as VIRTUAL_CAMERA
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.life_signs import LifeSignsArgs
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.estimation import Profile, Stage

DATA = "lifeSigns"
TURNS = (Action.TURN_LEFT, Action.TURN_RIGHT, Action.CHIN_UP, Action.CHIN_DOWN)
REPEATING = ("repeated", "frozen", "reused")
"""Evidence of VirtualCameraChecker that a recording is played."""


class Decision(StrEnum):
    """What the signs so far lead to."""

    CHECKING = "checking"
    ACCEPT = "accepted"
    ASK = "asked"
    REFUSE = "refused"


class Doubt(StrEnum):
    """What does not speak for a living person."""

    NETWORKS = "networks"
    EYES = "eyes"
    POSE = "pose"
    BACKGROUND = "background"
    SUNGLASSES = "sunglasses"
    REPETITION = "repetition"


class LifeSigns(Plugin):
    """Accepts, refuses, or asks for an action, from the signs of a living person.

    Args:
        args: times and thresholds.
        acting: angles and times of the action.
        asks: ask for the action; no where ActiveLiveness asks everyone.
    """

    Args = LifeSignsArgs
    gathers = True

    def __init__(self, args: LifeSignsArgs, acting: ActiveLivenessArgs, *, asks: bool) -> None:
        self._args = args
        self._asks = asks
        self._window = SignsWindow(args.windowSeconds, args.framesCount)
        self._run = ActionRun(acting, self._draw)
        self._blink = True
        self._reused = False

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Take the action's angles and times from the arguments of ActiveLiveness."""
        active = config.MIDDLEWARES.WS.ActiveLiveness
        return lambda: cls(args, active.args, asks=not active.isEnabled)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument, and those of ActiveLiveness that the action is judged by."""
        acting = numbers_of(config.MIDDLEWARES.WS.ActiveLiveness.args)
        for name in ("interactionsCount", "cooldownFramesCount"):  # which LifeSigns does not use
            del acting[name]
        return {**numbers_of(args), **acting}

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Gather signs until they decide; then accept, refuse, or watch the action."""
        if context.acted:
            return
        if self._run.has_started:
            self._run.watch(context, frame)
        elif frame.estimate.profile is Profile.PASSIVE:
            self._gather(context, frame)

    def on_reuse(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Count a frame of another session as a repetition."""
        self._reused = True

    def _gather(self, context: SessionContext, frame: FrameJudgement) -> None:
        if _counts(frame):
            self._window.add(context.now, frame.estimate)
        signs = self._window.signs()
        doubts = self._doubts(context, signs)
        decision = self._decide(signs, doubts, self._window.seconds_at(context.now))
        if decision is Decision.REFUSE:
            frame.refuse(Code.LOW_LIVENESS, end=True)
        elif frame.ok and self._asks:
            self._answer(context, frame, decision, doubts)
        context.data[DATA] = _summary(signs, doubts, decision)

    def _answer(
        self,
        context: SessionContext,
        frame: FrameJudgement,
        decision: Decision,
        doubts: list[Doubt],
    ) -> None:
        """Hold a frame that passed back, or ask for an action."""
        if decision is Decision.CHECKING:
            frame.refuse(Code.AGGREGATING)
        elif decision is Decision.ASK:
            self._blink = _is_blink_proof(doubts)
            self._run.start(context, frame)

    def _decide(self, signs: Signs, doubts: list[Doubt], seconds: float) -> Decision:
        """Decide from the signs, once there are enough frames over enough time."""
        args = self._args
        if signs.frames < args.framesCount or seconds < args.minSeconds:
            return Decision.CHECKING
        if signs.score is not None and signs.score < args.refuseScore:
            return Decision.REFUSE
        if not doubts:
            return Decision.ACCEPT
        return Decision.CHECKING if seconds < args.windowSeconds else Decision.ASK

    def _doubts(self, context: SessionContext, signs: Signs) -> list[Doubt]:
        """List what does not speak for a living person; a sign that is not known does not."""
        args = self._args
        background_moves = signs.background is None or signs.background > args.backgroundMotion
        in_doubt = {
            Doubt.NETWORKS: signs.score is None or signs.score < args.acceptScore,
            Doubt.EYES: signs.eyes is None or signs.eyes < args.eyesDeviation,
            Doubt.POSE: signs.pose is None or signs.pose < args.poseDeviation,
            Doubt.BACKGROUND: args.fixedCamera and background_moves,
            Doubt.SUNGLASSES: signs.sunglasses,
            Doubt.REPETITION: self._reused or _repeats(context),
        }
        return [doubt for doubt, is_in_doubt in in_doubt.items() if is_in_doubt]

    def _draw(self, chance: random.Random) -> list[Action]:
        return [Action.BLINK] if self._blink else [chance.choice(TURNS)]


def _counts(frame: FrameJudgement) -> bool:
    """Tell whether a frame shows signs: it came to the liveness check and may have failed it."""
    estimate = frame.estimate
    passed_before = estimate.stage >= Stage.AGS and set(estimate.errors) <= {Code.LOW_LIVENESS}
    return passed_before and Code.OTHER_PERSON not in frame.errors


def _is_blink_proof(doubts: list[Doubt]) -> bool:
    """Tell whether a blink settles the doubts.

    Sunglasses hide it. Where the eyes move already, a replayed video is in doubt rather than a
    photograph, and its eyes may shut: then only an action that is drawn for the session helps.
    """
    hidden = Doubt.SUNGLASSES in doubts or Doubt.REPETITION in doubts
    return not hidden and Doubt.EYES in doubts


def _repeats(context: SessionContext) -> bool:
    evidence = context.data.get(VIRTUAL_CAMERA, {}).get("evidence", {})
    return any(evidence.get(name) for name in REPEATING)


def _summary(signs: Signs, doubts: list[Doubt], decision: Decision) -> dict[str, Any]:
    """Write the signs for the details of STATUS and token."""
    measured = {
        "score": signs.score,
        "eyes": signs.eyes,
        "pose": signs.pose,
        "background": signs.background,
    }
    return {
        "decision": decision.value,
        "doubts": [doubt.value for doubt in doubts],
        "frames": signs.frames,
        **{name: None if value is None else round(value, 4) for name, value in measured.items()},
    }
