"""The actions of ActiveLiveness and LifeSigns as small state machines.

A state machine takes one frame after the other and returns a prompt until its action is complete.
Any other action seen before that is wrong, even if the requested one follows. ``shown_at`` is the
time of the first frame that shows the action.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from aggregator.plugins.faces import is_straight
from shared.codes import Code
from shared.config.plugins import ActiveLivenessArgs
from shared.frame.estimation import Estimate, Eyes, HeadPose

HELD_SECONDS = 0.3
"""Minimum time that the eyes must be seen shut; a natural blink is shorter."""


class Action(StrEnum):
    """What a person can be asked to do. Left and right are the person's own."""

    BLINK = "blink"
    TURN_LEFT = "turnLeft"
    TURN_RIGHT = "turnRight"
    CHIN_UP = "chinUp"
    CHIN_DOWN = "chinDown"


class ActionEnd(Enum):
    """How an action ended."""

    RIGHT = auto()
    WRONG = auto()


Step = Code | ActionEnd
"""The prompt to show, or the end of the action."""


@dataclass(frozen=True, slots=True)
class View:
    """The measurements of one frame that actions use."""

    at: float
    pose: HeadPose
    eyes: Eyes

    @classmethod
    def of(cls, at: float, estimate: Estimate) -> View | None:
        """Extract the measurements from an estimate; None if any is missing."""
        if not estimate.ok or estimate.head_pose is None or estimate.eyes is None:
            return None
        return cls(at, estimate.head_pose, estimate.eyes)

    def past(self, args: ActiveLivenessArgs) -> set[Action]:
        """Return the directions in which the head is past the threshold."""
        yaw, pitch = self.pose.yaw, self.pose.pitch
        reached = {
            Action.TURN_LEFT: yaw >= args.yawThresholdDeg,
            Action.TURN_RIGHT: yaw <= -args.yawThresholdDeg,
            Action.CHIN_UP: pitch >= args.pitchThresholdDeg,
            Action.CHIN_DOWN: pitch <= -args.pitchThresholdDeg,
        }
        return {action for action, is_reached in reached.items() if is_reached}


class Lids:
    """Distinguishes eyes (if ``one_eyed``, one eye) that are kept shut from a natural blink."""

    def __init__(self, *, one_eyed: bool) -> None:
        self._one_eyed = one_eyed
        self._opened: tuple[bool, bool] | None = None
        self._shut_since: float | None = None

    @property
    def shut_since(self) -> float | None:
        """Time of the first frame of those that show the eyes shut; None while they are open."""
        return self._shut_since

    def are_open(self, eyes: Eyes) -> bool:
        """Return whether the eyes are open; the first time, remember which eyes are in use."""
        if self._opened is None:
            able = eyes.left_open or eyes.right_open
            if able if self._one_eyed else (eyes.left_open and eyes.right_open):
                self._opened = (eyes.left_open, eyes.right_open)
            return self._opened is not None
        left, right = self._opened
        return (eyes.left_open or not left) and (eyes.right_open or not right)

    def are_held_shut(self, view: View) -> bool:
        """Return whether the eyes have been shut for ``HELD_SECONDS``."""
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
    """Look straight, turn the head past the threshold, look straight again."""

    _PROMPTS = {  # noqa: RUF012
        Action.TURN_LEFT: (Code.LOOK_STRAIGHT_YAW, Code.ASK_TURN_LEFT),
        Action.TURN_RIGHT: (Code.LOOK_STRAIGHT_YAW, Code.ASK_TURN_RIGHT),
        Action.CHIN_UP: (Code.LOOK_STRAIGHT_PITCH, Code.ASK_CHIN_UP),
        Action.CHIN_DOWN: (Code.LOOK_STRAIGHT_PITCH, Code.ASK_CHIN_DOWN),
    }

    def __init__(self, action: Action, args: ActiveLivenessArgs) -> None:
        self._action = action
        self._args = args
        self._straight, self.prompt = self._PROMPTS[action]
        self.shown_at: float | None = None
        self._lids = Lids(one_eyed=args.acceptOneEyed)
        self._started = False

    def advance(self, view: View) -> Step:
        """Process one frame."""
        past = view.past(self._args)
        if not self._started:
            self._started = self._is_straight(view.pose) and not past
            return self.prompt if self._started else self._straight
        if past - {self._action} or self._eyes_shut(view, past):
            return ActionEnd.WRONG
        if past and self.shown_at is None:
            self.shown_at = view.at
        if self.shown_at is None:
            return self.prompt
        return ActionEnd.RIGHT if self._is_straight(view.pose) and not past else self._straight

    def _is_straight(self, pose: HeadPose) -> bool:
        """Return whether the head is in the start and end position of the action.

        Both axes count, because FaceMatcher must be able to compare this face as a straight one.
        """
        if not is_straight(pose):
            return False
        if self._straight is Code.LOOK_STRAIGHT_YAW:
            return abs(pose.yaw) <= self._args.yawStartDeg
        return abs(pose.pitch) <= self._args.pitchStartDeg

    def _eyes_shut(self, view: View, past: set[Action]) -> bool:
        """Return whether the person blinks instead; eyes of a turned head are not reliable."""
        if past or not self._is_straight(view.pose):
            return False
        self._lids.are_open(view.eyes)
        return self._lids.are_held_shut(view)


class BlinkAction:
    """Open the eyes, shut them and open them again, with the head straight."""

    prompt = Code.CLOSE_EYES

    def __init__(self, args: ActiveLivenessArgs) -> None:
        self._args = args
        self._lids = Lids(one_eyed=args.acceptOneEyed)
        self.shown_at: float | None = None
        self._started = False

    def advance(self, view: View) -> Step:
        """Process one frame."""
        past = view.past(self._args)
        if self._started and past:
            return ActionEnd.WRONG
        if past or not is_straight(view.pose):  # thresholds and STRAIGHT_DEG are independent
            is_turned = abs(view.pose.yaw) > abs(view.pose.pitch)
            return Code.LOOK_STRAIGHT_YAW if is_turned else Code.LOOK_STRAIGHT_PITCH
        if not self._started:
            self._started = self._lids.are_open(view.eyes)
            return Code.CLOSE_EYES if self._started else Code.OPEN_EYES
        if self.shown_at is None and self._lids.are_held_shut(view):
            self.shown_at = self._lids.shut_since
        if self.shown_at is None:
            return Code.CLOSE_EYES
        return ActionEnd.RIGHT if self._lids.are_open(view.eyes) else Code.OPEN_EYES


def start_action(action: Action, args: ActiveLivenessArgs) -> HeadAction | BlinkAction:
    """Create the state machine of an action."""
    return BlinkAction(args) if action is Action.BLINK else HeadAction(action, args)
