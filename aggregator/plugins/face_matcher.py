"""FaceMatcher: whoever acts, and whoever is on the best shot, is one person."""

from __future__ import annotations

from collections import deque
from typing import Any

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import Descriptor, descriptor_of
from aggregator.policy import Stated
from shared.codes import Code
from shared.config import Config
from shared.config_plugins import FaceMatcherArgs
from shared.estimation import HeadPose, Profile

DATA = "faceMatcher"
STRAIGHT_DEG = 15.0
"""Yaw and pitch up to which a face of the active profile is compared as one of a full check."""
LEAST_SHARE = 0.6
"""Share of ``similarity`` below which a face is another one, however the head is turned."""
REMEMBERED = 8
"""Latest frames that a turned face may resemble; a head turns through them."""


class FaceMatcher(Plugin):
    """Compares every described face with the first of the session that passed a full check.

    A straight face must reach ``similarity``; one far below it ends the session. A turned face
    resembles its owner's straight one less, but the frames on the way to it more: it must reach
    a share of ``similarity`` with the most similar of the session's latest faces. A frame that
    reaches neither does not count for anything, so that nobody else can do the actions.

    Args:
        args: the least similarity.
    """

    Args = FaceMatcherArgs

    def __init__(self, args: FaceMatcherArgs) -> None:
        self._similar = args.similarity
        self._least = LEAST_SHARE * args.similarity if args.similarity > 0 else args.similarity
        self._first: Descriptor | None = None
        self._latest: deque[Descriptor] = deque(maxlen=REMEMBERED)

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument."""
        return numbers_of(args)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Refuse a face that is not the session's, and end the session of another one."""
        if not frame.ok:
            return
        face = descriptor_of(frame.estimate)
        pose = frame.estimate.head_pose
        if face is None or pose is None:
            frame.refuse(Code.ESTIMATION_FAILED)  # what cannot be compared cannot be let in
        elif frame.estimate.profile is Profile.PASSIVE or _is_straight(pose):
            self._compare_straight(context, frame, face)
        else:
            self._compare_turned(frame, face)

    def _compare_straight(
        self, context: SessionContext, frame: FrameJudgement, face: Descriptor
    ) -> None:
        if self._first is None:
            self._first = face
        similarity = float(self._first @ face)
        lowest = min(similarity, context.data.get(DATA, {}).get("similarity", 1.0))
        context.data[DATA] = {"similarity": round(lowest, 3)}
        if similarity < self._similar:
            frame.refuse(Code.OTHER_PERSON, end=similarity < self._least)
        else:
            self._latest.append(face)

    def _compare_turned(self, frame: FrameJudgement, face: Descriptor) -> None:
        if self._first is None:
            frame.refuse(Code.AGGREGATING)
            return
        known = [self._first, *self._latest]
        if max(float(one @ face) for one in known) < self._least:
            frame.refuse(Code.OTHER_PERSON)
        else:
            self._latest.append(face)


def _is_straight(pose: HeadPose) -> bool:
    return abs(pose.yaw) <= STRAIGHT_DEG and abs(pose.pitch) <= STRAIGHT_DEG
