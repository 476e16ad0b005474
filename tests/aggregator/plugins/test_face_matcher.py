"""FaceMatcher requires one person from the first passed frame to the verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from aggregator.plugins.base import FrameJudgement, SessionContext
from aggregator.plugins.face_matcher import FaceMatcher
from aggregator.plugins.registry import Registry
from aggregator.session import JudgedSession, Outcome
from shared.codes import Code
from shared.config.plugins import FaceMatcherArgs
from shared.frame.estimation import HeadPose, Profile, Stage
from shared.wire.messages import Open
from tests.support.judge import SESSION, live, plugin_config, shot

CONFIG = plugin_config({"FaceMatcher": {}, "AggregateLiveness": {"framesCount": 3}})


def face(similarity: float = 1.0) -> bytes:
    """Return a descriptor with this similarity to that of ``face()``."""
    vector = np.zeros(128, np.float32)
    vector[0], vector[1] = similarity, math.sqrt(1 - similarity**2)
    return vector.tobytes()


class Matching:
    """Shows frames to a matcher, one after another."""

    def __init__(self, **args: Any) -> None:
        self.plugin = FaceMatcher(FaceMatcherArgs(**args))
        self.session = JudgedSession(Open("", SESSION, 1000.0, 7, bytes(32)), [], CONFIG.LIVENESS)

    @property
    def context(self) -> SessionContext:
        return self.session.context

    def see(self, descriptor: bytes | None, yaw: float = 0.0, **changes: Any) -> FrameJudgement:
        estimate = live(descriptor=descriptor, head_pose=HeadPose(yaw, 0.0, 0.0), **changes)
        frame = FrameJudgement(1, estimate, b"jpeg", list(estimate.errors))
        self.plugin.on_estimate(self.context, frame)
        return frame

    def acting(self, descriptor: bytes, yaw: float) -> FrameJudgement:
        return self.see(descriptor, yaw, profile=Profile.ACTIVE, stage=Stage.EYES, liveness=None)


@pytest.mark.parametrize(
    ("similarity", "codes", "ended"),
    [
        (0.9, [], False),
        (0.5, [], False),
        (0.49, [Code.OTHER_PERSON], False),
        (0.31, [Code.OTHER_PERSON], False),
        (0.29, [Code.OTHER_PERSON], True),
        (-0.1, [Code.OTHER_PERSON], True),
    ],
)
def test_a_frontal_face_is_compared_with_the_first(
    similarity: float, codes: list[Code], ended: bool
) -> None:
    """At least ``similarity`` counts, less does not, and far less ends the session."""
    matching = Matching(similarity=0.5)
    assert matching.see(face()).ok
    frame = matching.see(face(similarity))
    assert (frame.errors, frame.ended) == (codes, ended)


def test_another_person_ends_the_session() -> None:
    """The session fails with code 69."""
    session = JudgedSession(
        Open("", SESSION, 1000.0, 7, bytes(32)), Registry(CONFIG).plugins(), CONFIG.LIVENESS
    )
    outcomes = [
        session.fold(seq, 1000.0 + seq, live(descriptor=one), None, replay=False, shot=shot(seq))
        for seq, one in enumerate([face(), face(0.8), face(0.1)], 1)
    ]
    last = outcomes[-1]
    assert isinstance(last, Outcome)
    assert (last.errors, last.final, last.accepted) == ((Code.OTHER_PERSON,), True, False)


def test_small_changes_of_a_frontal_face_do_not_add_up() -> None:
    """Each frontal face is compared with the first, not with the previous one."""
    matching = Matching(similarity=0.5)
    steps = [matching.see(face(math.cos(angle))).ok for angle in np.linspace(0, 1.4, 15)]
    assert steps == [True] * 11 + [False] * 4


def test_a_turned_face_needs_a_share_of_the_similarity() -> None:
    """Below that share it counts for nothing."""
    matching = Matching(similarity=0.5)
    matching.see(face())
    assert matching.acting(face(0.31), 21).ok
    frame = matching.acting(face(0.29), 21)
    assert (frame.errors, frame.ended) == ([Code.OTHER_PERSON], False)
    assert matching.see(face(0.9)).ok


def test_small_changes_of_a_turned_face_do_not_add_up() -> None:
    """Each is compared with the first face, not with an intermediate one."""
    matching = Matching(similarity=0.5)
    matching.see(face())
    steps = [matching.acting(face(math.cos(angle)), 25).ok for angle in np.linspace(0, 1.5, 16)]
    assert steps == [True] * 13 + [False] * 3


def test_another_person_cannot_do_the_actions() -> None:
    """A turned stranger's frame does not count, and the straight stranger ends the session."""
    matching = Matching(similarity=0.5)
    matching.see(face())
    stranger = matching.acting(face(0.1), 25)
    assert (stranger.errors, stranger.ended) == ([Code.OTHER_PERSON], False)
    assert matching.acting(face(0.1), 5).ended


def test_no_action_counts_before_the_first_face() -> None:
    """A turned face at the beginning has nothing to be compared with and counts for nothing."""
    assert Matching().acting(face(), 25).errors == [Code.AGGREGATING]


@pytest.mark.parametrize(
    "descriptor",
    [None, b"", b"abc", np.full(128, np.nan, np.float32).tobytes()],
    ids=["none", "empty", "torn", "no numbers"],
)
def test_a_face_without_descriptor_does_not_pass(descriptor: bytes | None) -> None:
    """A face that cannot be compared is refused."""
    assert Matching().see(descriptor).errors == [Code.ESTIMATION_FAILED]


def test_failed_frames_are_not_compared() -> None:
    """They have no descriptor, and count for nothing anyway."""
    assert Matching().see(None, errors=(Code.BLURRED,)).errors == [Code.BLURRED]


def test_the_lowest_similarity_is_reported() -> None:
    """It is in the details, so that an operator can choose the threshold."""
    matching = Matching(similarity=0.5)
    for similarity in (1.0, 0.7, 0.9):
        matching.see(face(similarity))
    assert matching.context.data["faceMatcher"]["similarity"] == pytest.approx(0.7)
