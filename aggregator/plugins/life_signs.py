"""LifeSigns: accepts a person who shows signs of life; otherwise requests an action.

The plugin collects signs for some seconds: the eyes, the motion of the head, a static background.
If all signs indicate a live person, the session needs no action. If one is in doubt, the plugin
requests an action that resolves this doubt. It refuses only if the networks are certain.
"""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Self

from aggregator.plugins.action_run import ActionRun
from aggregator.plugins.actions import Action
from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import CountedFace
from aggregator.plugins.signs import Signs, SignsWindow
from aggregator.plugins.virtual_camera import DATA as VIRTUAL_CAMERA
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.life_signs import LifeSignsArgs
from shared.config.plugins import ActiveLivenessArgs
from shared.config.service import Config
from shared.frame.checks import Rules
from shared.frame.estimation import Profile, Stage

DATA = "lifeSigns"
TURNS = (Action.TURN_LEFT, Action.TURN_RIGHT, Action.CHIN_UP, Action.CHIN_DOWN)
REPEATING = ("repeated", "frozen", "reused")
"""Evidence of VirtualCameraChecker for a recording."""


class Decision(StrEnum):
    """The decision by the signs so far."""

    CHECKING = "checking"
    ACCEPT = "accepted"
    ASK = "asked"
    REFUSE = "refused"


class Doubt(StrEnum):
    """A sign that does not indicate a live person."""

    NETWORKS = "networks"
    EYES = "eyes"
    POSE = "pose"
    BACKGROUND = "background"
    SUNGLASSES = "sunglasses"
    REPETITION = "repetition"


class LifeSigns(Plugin):
    """Accepts, refuses or requests an action, by the signs of a live person.

    Args:
        acting: angles and times of the action.
        similarity: minimum cosine similarity with the face that shows the signs.
        asks: request actions; False if ActiveLiveness does so in every session.
    """

    Args = LifeSignsArgs
    gathers = True

    def __init__(
        self,
        args: LifeSignsArgs,
        acting: ActiveLivenessArgs,
        rules: Rules,
        similarity: float,
        *,
        asks: bool,
    ) -> None:
        self._args = args
        self._rules = rules
        self._asks = asks
        self._face = CountedFace(similarity)
        self._window = self._new_window()
        self._run = ActionRun(acting, self._draw)
        self._blink = True
        self._reused = False

    @classmethod
    def factory(cls, args: Any, config: Config) -> Callable[[], Self]:
        """Read the action's angles and times, and the similarity of FaceMatcher."""
        plugins, rules = config.MIDDLEWARES.WS, Rules.of(config)
        acting, similarity = plugins.ActiveLiveness, plugins.FaceMatcher.args.similarity
        return lambda: cls(args, acting.args, rules, similarity, asks=not acting.isEnabled)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument, those of other plugins that it uses, and the limit of moire."""
        plugins = config.MIDDLEWARES.WS
        acting = numbers_of(plugins.ActiveLiveness.args)
        for name in ("interactionsCount", "cooldownFramesCount"):  # which LifeSigns does not use
            del acting[name]
        return {
            **numbers_of(args),
            **acting,
            "moire": config.CHECKS.moire,
            "similarity": plugins.FaceMatcher.args.similarity,
        }

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Collect signs until they decide; then accept, refuse, or watch the action."""
        if context.acted and self._asks:
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
            if self._face.changes_to(frame.estimate):
                self._window = self._new_window()  # no one can show the signs for another person
            self._window.add(context.now, frame.estimate)
        signs = self._window.signs()
        doubts = self._doubts(context, signs)
        decision = self._decide(signs, doubts, self._window.seconds_at(context.now))
        if decision is Decision.REFUSE:
            frame.refuse(Code.LOW_LIVENESS, end=True)
        elif frame.ok and self._asks:
            self._answer(context, frame, decision, doubts)
        context.data[DATA] = _summary(signs, doubts, decision)

    def _new_window(self) -> SignsWindow:
        return SignsWindow(self._args.windowSeconds, self._args.framesCount, self._rules)

    def _answer(
        self,
        context: SessionContext,
        frame: FrameJudgement,
        decision: Decision,
        doubts: list[Doubt],
    ) -> None:
        """Delay a frame that passed, or request an action."""
        if decision is Decision.CHECKING:
            frame.refuse(Code.AGGREGATING)
        elif decision is Decision.ASK:
            self._blink = _is_blink_proof(doubts)
            self._run.start(context, frame)

    def _decide(self, signs: Signs, doubts: list[Doubt], seconds: float) -> Decision:
        """Decide by the signs, once there are enough frames over enough time."""
        args = self._args
        if signs.frames < args.framesCount or seconds < args.minSeconds:
            return Decision.CHECKING
        if signs.score is not None and signs.score < args.refuseScore:
            return Decision.REFUSE
        if not doubts:
            return Decision.ACCEPT
        return Decision.CHECKING if seconds < args.windowSeconds else Decision.ASK

    def _doubts(self, context: SessionContext, signs: Signs) -> list[Doubt]:
        """Return the signs that do not indicate a live person, including unknown signs."""
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
    """Return whether a frame shows signs: it reached the liveness check, and may have failed it."""
    estimate = frame.estimate
    passed_before = estimate.stage >= Stage.AGS and set(estimate.errors) <= {Code.LOW_LIVENESS}
    return passed_before and Code.OTHER_PERSON not in frame.errors


def _is_blink_proof(doubts: list[Doubt]) -> bool:
    """Return whether a blink resolves the doubts.

    Sunglasses hide a blink. If the eyes move already, the attack may be a video instead of a photo,
    whose eyes may shut: then only a random action helps.
    """
    hidden = Doubt.SUNGLASSES in doubts or Doubt.REPETITION in doubts
    return not hidden and Doubt.EYES in doubts


def _repeats(context: SessionContext) -> bool:
    evidence = context.data.get(VIRTUAL_CAMERA, {}).get("evidence", {})
    return any(evidence.get(name) for name in REPEATING)


def _summary(signs: Signs, doubts: list[Doubt], decision: Decision) -> dict[str, Any]:
    """Return the signs for the details of STATUS and token."""
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
