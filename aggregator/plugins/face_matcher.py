"""FaceMatcher: whoever acts, and whoever is on the best shot, is one person."""

from __future__ import annotations

from typing import Any

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import Descriptor, descriptor_of, is_straight
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import FaceMatcherArgs
from shared.config.service import Config
from shared.frame.estimation import Profile

DATA = "faceMatcher"
LEAST_SHARE = 0.6
"""Share of ``similarity`` below which a face is another one, however the head is turned."""


class FaceMatcher(Plugin):
    """Compares every described face with the first of the session that passed a full check.

    A straight face must reach ``similarity``; one far below it ends the session. A turned face
    resembles its owner's straight one less: it must reach a share of ``similarity``. All are
    compared with that one face, since a chain of faces that each resemble the one before leads from
    one person to another. A frame that does not reach its bound does not count for anything, so
    that nobody else can do the actions; each begins and ends with a straight face.

    Args:
        args: the least similarity.
    """

    Args = FaceMatcherArgs

    def __init__(self, args: FaceMatcherArgs) -> None:
        self._similar = args.similarity
        self._least = LEAST_SHARE * args.similarity if args.similarity > 0 else args.similarity
        self._first: Descriptor | None = None

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
        elif frame.estimate.profile is Profile.PASSIVE or is_straight(pose):
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

    def _compare_turned(self, frame: FrameJudgement, face: Descriptor) -> None:
        if self._first is None:
            frame.refuse(Code.AGGREGATING)
        elif float(self._first @ face) < self._least:
            frame.refuse(Code.OTHER_PERSON)
