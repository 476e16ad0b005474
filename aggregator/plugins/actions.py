"""The actions of ActiveLiveness: what each asks, and when it is done, or another is done instead.

An action is a small state machine over the frames that show it. It answers a prompt until it is
done. Whatever other action it sees meanwhile is wrong, whether or not the asked one follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from aggregator.plugins.faces import STRAIGHT_DEG, is_straight
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.frame.estimation import Estimate, Eyes, HeadPose

HELD_SECONDS = 0.3
"""Eyes that are seen shut for so long are an action; a natural blink is shorter."""


class Action(StrEnum):
    """What a person can be asked to do; directions are the person's own."""

    BLINK = "blink"
    TURN_LEFT = "turnLeft"
    TURN_RIGHT = "turnRight"
    CHIN_UP = "chinUp"
    CHIN_DOWN = "chinDown"


class ActionEnd(Enum):
    """What ends an action."""

    RIGHT = auto()
    WRONG = auto()


Step = Code | ActionEnd
"""The prompt to show now, or the end of the action."""


@dataclass(frozen=True, slots=True)
class View:
    """What one frame shows of an action."""

    at: float
    pose: HeadPose
    eyes: Eyes

    @classmethod
    def of(cls, at: float, estimate: Estimate) -> View | None:
        """Take it out of an estimate; None where the frame does not show it."""
        if not estimate.ok or estimate.head_pose is None or estimate.eyes is None:
            return None
        return cls(at, estimate.head_pose, estimate.eyes)

    def past(self, args: ActiveLivenessArgs) -> set[Action]:
        """Directions in which the head is past the threshold."""
        yaw, pitch = self.pose.yaw, self.pose.pitch
        reached = {
            Action.TURN_LEFT: yaw >= args.yawThresholdDeg,
            Action.TURN_RIGHT: yaw <= -args.yawThresholdDeg,
            Action.CHIN_UP: pitch >= args.pitchThresholdDeg,
            Action.CHIN_DOWN: pitch <= -args.pitchThresholdDeg,
        }
        return {action for action, is_reached in reached.items() if is_reached}


class Lids:
    """Tells shut eyes that are held from a natural blink.

    Args:
        one_eyed: one eye that shuts is enough.
    """

    def __init__(self, *, one_eyed: bool) -> None:
        self._one_eyed = one_eyed
        self._opened: tuple[bool, bool] | None = None
        self._shut_since: float | None = None

    def are_open(self, eyes: Eyes) -> bool:
        """Tell whether the eyes are open; the first time, this notes which eyes can shut."""
        if self._opened is None:
            able = eyes.left_open or eyes.right_open
            if able if self._one_eyed else (eyes.left_open and eyes.right_open):
                self._opened = (eyes.left_open, eyes.right_open)
            return self._opened is not None
        left, right = self._opened
        return (eyes.left_open or not left) and (eyes.right_open or not right)

    def are_held_shut(self, view: View) -> bool:
        """Tell whether the eyes have been shut for long enough."""
        if not self._are_shut(view.eyes):
            self._shut_since = None
            return False
        if self._shut_since is None:
            self._shut_since = view.at
        return view.at - self._shut_since >= HELD_SECONDS

    def _are_shut(self, eyes: Eyes) -> bool:
        if self._opened is None:
            return False
        left = self._opened[0] and not eyes.left_open
        right = self._opened[1] and not eyes.right_open
        return (left or right) if self._one_eyed else (left and right)


class HeadAction:
    """Look straight, turn or nod past the threshold, and back.

    Args:
        action: the direction asked.
        args: angles.
    """

    _PROMPTS = {  # noqa: RUF012
        Action.TURN_LEFT: (Code.LOOK_STRAIGHT_YAW, Code.ASK_TURN_LEFT),
        Action.TURN_RIGHT: (Code.LOOK_STRAIGHT_YAW, Code.ASK_TURN_RIGHT),
        Action.CHIN_UP: (Code.LOOK_STRAIGHT_PITCH, Code.ASK_CHIN_UP),
        Action.CHIN_DOWN: (Code.LOOK_STRAIGHT_PITCH, Code.ASK_CHIN_DOWN),
    }

    def __init__(self, action: Action, args: ActiveLivenessArgs) -> None:
        self._action = action
        self._args = args
        self._straight, self._ask = self._PROMPTS[action]
        self._lids = Lids(one_eyed=args.acceptOneEyed)
        self._begun = self._reached = False

    def see(self, view: View) -> Step:
        """Go on by one frame."""
        past = view.past(self._args)
        if not self._begun:
            self._begun = self._is_straight(view.pose) and not past
            return self._ask if self._begun else self._straight
        if past - {self._action} or self._eyes_shut(view, past):
            return ActionEnd.WRONG
        self._reached = self._reached or bool(past)
        if not self._reached:
            return self._ask
        return ActionEnd.RIGHT if self._is_straight(view.pose) and not past else self._straight

    def _is_straight(self, pose: HeadPose) -> bool:
        """Tell whether the head is where the action begins and ends.

        FaceMatcher has to compare that face as a straight one: so the other axis counts too.
        """
        if not is_straight(pose):
            return False
        if self._straight is Code.LOOK_STRAIGHT_YAW:
            return abs(pose.yaw) <= self._args.yawStartDeg
        return abs(pose.pitch) <= self._args.pitchStartDeg

    def _eyes_shut(self, view: View, past: set[Action]) -> bool:
        """Tell a blink as if asked; the lids of a turned head say nothing."""
        if past or not self._is_straight(view.pose):
            return False
        self._lids.are_open(view.eyes)
        return self._lids.are_held_shut(view)


class BlinkAction:
    """Eyes open, shut and open again, the head straight.

    Args:
        args: angles, and whether one eye is enough.
    """

    def __init__(self, args: ActiveLivenessArgs) -> None:
        self._args = args
        self._lids = Lids(one_eyed=args.acceptOneEyed)
        self._begun = self._shut = False

    def see(self, view: View) -> Step:
        """Go on by one frame."""
        past = view.past(self._args)
        if self._begun and past:
            return ActionEnd.WRONG
        if not (past or is_straight(view.pose)):  # where the thresholds are wider than that
            is_turned = abs(view.pose.yaw) > STRAIGHT_DEG
            return Code.LOOK_STRAIGHT_YAW if is_turned else Code.LOOK_STRAIGHT_PITCH
        if not self._begun:
            self._begun = not past and self._lids.are_open(view.eyes)
            return Code.CLOSE_EYES if self._begun else Code.OPEN_EYES
        self._shut = self._shut or self._lids.are_held_shut(view)
        if not self._shut:
            return Code.CLOSE_EYES
        return ActionEnd.RIGHT if self._lids.are_open(view.eyes) else Code.OPEN_EYES


def begin(action: Action, args: ActiveLivenessArgs) -> HeadAction | BlinkAction:
    """Make the state machine of an action."""
    return BlinkAction(args) if action is Action.BLINK else HeadAction(action, args)
