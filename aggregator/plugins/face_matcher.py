"""FaceMatcher: the same person does the actions and is on the best shot."""

from typing import Any

from aggregator.plugins.base import FrameJudgement, Plugin, SessionContext, numbers_of
from aggregator.plugins.faces import Descriptor, descriptor_of, is_straight
from aggregator.policy import Stated
from shared.codes import Code
from shared.config.plugins import FaceMatcherArgs
from shared.config.service import Config
from shared.frame.estimation import Profile

DATA = "faceMatcher"
TURNED_FACE_SHARE = 0.6
"""Share of ``similarity`` below which a face is another person's, however the head is turned.
docs/plugin-measurements.md has the measurements."""


class FaceMatcher(Plugin):
    """Compares every face with the session's first face that passed a full check.

    A frontal face must reach ``similarity``; one far below it ends the session. A turned face is
    less similar to the same person's frontal face and must reach ``TURNED_FACE_SHARE`` of it. The
    reference never changes: a chain of faces, each similar to the previous one, could lead from one
    person to another. A refused frame does not count for an action, so no one else can do the
    actions; each action starts and ends with a frontal face.
    """

    Args = FaceMatcherArgs

    def __init__(self, args: FaceMatcherArgs) -> None:
        self._straight_min = args.similarity
        share = TURNED_FACE_SHARE if args.similarity > 0 else 1.0
        self._turned_min = share * args.similarity
        self._first: Descriptor | None = None

    @classmethod
    def stated(cls, args: Any, config: Config) -> Stated:
        """State every argument."""
        return numbers_of(args)

    def on_estimate(self, context: SessionContext, frame: FrameJudgement) -> None:
        """Refuse a face that differs from the session's; end the session if it differs a lot."""
        if not frame.ok:
            return
        face = descriptor_of(frame.estimate)
        pose = frame.estimate.head_pose
        if face is None or pose is None:
            frame.refuse(Code.ESTIMATION_FAILED)  # fail closed: there is nothing to compare
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
        if similarity < self._straight_min:
            frame.refuse(Code.OTHER_PERSON, end=similarity < self._turned_min)

    def _compare_turned(self, frame: FrameJudgement, face: Descriptor) -> None:
        if self._first is None:
            frame.refuse(Code.AGGREGATING)
        elif float(self._first @ face) < self._turned_min:
            frame.refuse(Code.OTHER_PERSON)
