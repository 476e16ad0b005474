"""A quick look refuses frames that surely fail an early check, and decides nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inference_pool.estimator import Estimator
from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection
from shared.frame.checks import Rules
from shared.frame.estimation import (
    Box,
    Capabilities,
    Estimate,
    Eyes,
    HeadPose,
    Liveness,
    Profile,
    Quality,
    Stage,
)
from tests.inference_pool.recording import (
    FRAME,
    GOOD_FACE,
    FixedFace,
    RecordingBackend,
    estimated,
)

QUICK = Capabilities(True, True, "fixed", quick_look=True)


def estimate(backend: RecordingBackend, *, quick: bool = True, **options: Any) -> Estimate:
    """Estimate a frame, after a quick look unless a test wants none; leave out the times."""
    return replace(estimated(backend, quick=quick, **options), timings={})


def looking(**answers: Any) -> RecordingBackend:
    return RecordingBackend(**{"capabilities": QUICK, **answers})


SURELY: list[tuple[dict[str, Any], Stage, Code, list[str]]] = [
    ({"quality_answer": Quality(0, 1, 1, 1, 1)}, Stage.QUALITY, Code.BLURRED, ["quality"]),
    ({"quality_answer": Quality(1, 1, 0, 1, 1)}, Stage.QUALITY, Code.TOO_DARK, ["quality"]),
    (
        {"faces": [FixedFace(Box(250, 100, 120, 250))]},
        Stage.POSITION,
        Code.FACE_TOO_NARROW,
        ["quality"],
    ),
    (
        {"faces": [FixedFace(Box(-60, 100, 240, 250))]},
        Stage.POSITION,
        Code.MARGIN_LEFT,
        ["quality"],
    ),
    (
        {"pose_answer": HeadPose(40, 0, 0)},
        Stage.HEAD_POSE,
        Code.TURN_RIGHT,
        ["quality", "head_pose"],
    ),
]


@pytest.mark.parametrize(("answers", "stage", "code", "calls"), SURELY)
def test_a_frame_that_surely_fails_is_refused(
    answers: dict[str, Any], stage: Stage, code: Code, calls: list[str]
) -> None:
    """It gets the codes of a full look, without one."""
    backend = looking(**answers)
    result = estimate(backend)
    assert (result.quick, result.stage, result.errors) == (True, stage, (code,))
    assert result.refused_early
    assert backend.calls == ["look_quickly", *calls]
    full = estimate(looking(**answers), quick=False)
    assert (full.quick, replace(result, quick=False)) == (False, full)


UNSURE: dict[str, dict[str, Any]] = {
    "passes": {},
    "a little blurred": {"quality_answer": Quality(0.55, 1, 1, 1, 1)},
    "a little narrow": {"faces": [FixedFace(Box(250, 100, 190, 250))]},
    "a little outside": {"faces": [FixedFace(Box(-10, 100, 240, 250))]},
    "a little turned": {"pose_answer": HeadPose(23, 0, 0)},
    "eyes shut": {"eyes_answer": Eyes(0, 0, False, False)},
    "not live": {"liveness_answer": Liveness(0.1, 0.9)},
    "two faces": {"faces": [GOOD_FACE, GOOD_FACE]},
    "no face": {"faces": []},
    "no quality": {"failing": "quality"},
    "no pose": {"failing": "head_pose"},
}


@pytest.mark.parametrize("answers", UNSURE.values(), ids=UNSURE.keys())
def test_every_other_frame_gets_a_full_look(answers: dict[str, Any]) -> None:
    """Its estimate is that without a quick look."""
    backend = looking(**answers)
    result = estimate(backend)
    assert not result.quick
    assert result == estimate(looking(**answers), quick=False)
    assert "detect" in backend.calls


@pytest.mark.parametrize("glimpsed", [[], [FixedFace(Box(250, 100, 190, 250))]])
def test_a_quick_look_accepts_no_frame(glimpsed: list[FixedFace]) -> None:
    """What it saw otherwise has no effect on the estimate, in either direction."""
    assert estimate(looking(glimpsed=glimpsed)).ok
    turned = {"pose_answer": HeadPose(23, 0, 0)}
    assert estimate(looking(glimpsed=glimpsed, **turned)).errors == (Code.TURN_RIGHT,)


def test_a_failing_quick_look_has_no_effect() -> None:
    """As with a backend that cannot take one although it says so."""
    backend = looking(failing="look_quickly")
    assert estimate(backend).ok


BLURRED = {"quality_answer": Quality(0, 1, 1, 1, 1)}
JUDGE_LARGEST = Rules(ThresholdsSection(multifacePolicy=1))
UNWANTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "not asked for": ({}, {"quick": False}),
    "not possible": ({"capabilities": Capabilities(True, True, "fixed")}, {}),
    "during an action": ({}, {"profile": Profile.ACTIVE}),
    "with another face policy": ({}, {"rules": JUDGE_LARGEST}),
    "for a diagnosis": ({}, {"exhaustive": True}),
}


@pytest.mark.parametrize(("answers", "options"), UNWANTED.values(), ids=UNWANTED.keys())
def test_no_quick_look(answers: dict[str, Any], options: dict[str, Any]) -> None:
    """Where it could be wrong, or is not wanted, the frame gets only a full look."""
    backend = looking(**BLURRED, **answers)
    result = estimate(backend, **options)
    assert (result.quick, result.errors) == (False, (Code.BLURRED,))
    assert "look_quickly" not in backend.calls


def test_the_time_of_a_quick_look_in_vain_is_reported() -> None:
    """It belongs to the frame's cost."""
    estimator = Estimator(looking(), Rules())
    timings = estimator.estimate(FRAME, Profile.PASSIVE, quick=True).timings
    assert list(timings)[:2] == ["quick_look", "decode"]


def test_a_quick_look_sees_a_mirrored_image_as_a_full_one_does() -> None:
    """The code names the person's own side; the pitch offset is added."""
    rules = Rules(limits=ChecksSection(pitchOffsetDeg=-10.0))
    for pose, code in ((HeadPose(30, 12, 0), Code.TURN_LEFT), (HeadPose(0, -16, 0), Code.CHIN_UP)):
        for quick in (True, False):
            estimator = Estimator(looking(pose_answer=pose), rules)
            result = estimator.estimate(FRAME, Profile.PASSIVE, mirrored=True, quick=quick)
            assert (result.quick, result.errors) == (quick, (code,))


def test_a_face_policy_is_obeyed_after_a_reload() -> None:
    """The worker makes a new estimator then."""
    backend = looking(**BLURRED)
    for rules, quick in ((Rules(), True), (JUDGE_LARGEST, False), (Rules(), True)):
        assert estimate(backend, rules=rules).quick is quick
