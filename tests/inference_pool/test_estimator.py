from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inference_pool.digest import pixel_digest
from inference_pool.estimator import Estimator
from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection
from shared.frame.checks import Rules
from shared.frame.estimation import (
    Box,
    Capabilities,
    Eyes,
    HeadPose,
    Liveness,
    Mouth,
    Profile,
    Quality,
    Stage,
)
from tests.inference_pool.recording import FRAME, GOOD_FACE, FixedFace, RecordingBackend
from tests.inference_pool.recording import estimated as estimate

IN_ORDER = ["detect", "quality", "head_pose", "eyes", "mouth", "glasses", "ags", "liveness"]
NEAR, FAR = FixedFace(Box(10, 10, 300, 300)), FixedFace(Box(270, 190, 100, 100))


def test_good_frame_passes_every_stage_in_order() -> None:
    """All stages run once, in the order of LUNA PASS, and nothing else."""
    backend = RecordingBackend()
    result = estimate(backend)
    assert (result.ok, result.stage, backend.calls) == (True, Stage.LIVENESS, IN_ORDER)


EARLY: list[tuple[dict[str, Any], Stage, Code, int]] = [
    ({"faces": []}, Stage.FACES, Code.NO_FACE, 1),
    ({"faces": [GOOD_FACE, GOOD_FACE]}, Stage.FACES, Code.SEVERAL_FACES, 1),
    ({"quality_answer": Quality(0, 1, 1, 1, 1)}, Stage.QUALITY, Code.BLURRED, 2),
    ({"faces": [FixedFace(Box(300, 100, 199, 250))]}, Stage.POSITION, Code.FACE_TOO_NARROW, 2),
    ({"pose_answer": HeadPose(21, 0, 0)}, Stage.HEAD_POSE, Code.TURN_RIGHT, 3),
    ({"eyes_answer": Eyes(0, 0, False, False)}, Stage.EYES, Code.EYES_CLOSED, 4),
    ({"mouth_answer": Mouth(0.5, 0, 0)}, Stage.MOUTH, Code.MOUTH_OCCLUDED, 5),
    ({"glasses_answer": "sunglasses"}, Stage.GLASSES, Code.GLASSES_NOT_ALLOWED, 6),
    ({"ags_answer": 0.5}, Stage.AGS, Code.LOW_AGS, 7),
    ({"liveness_answer": Liveness(0.1, 1)}, Stage.LIVENESS, Code.LOW_LIVENESS, 8),
]


@pytest.mark.parametrize(("answers", "stage", "code", "calls"), EARLY)
def test_failed_stage_ends_the_frame(
    answers: dict[str, Any], stage: Stage, code: Code, calls: int
) -> None:
    """No later stage runs, so liveness never runs on a frame that failed before it."""
    backend = RecordingBackend(**answers)
    result = estimate(backend)
    assert (result.stage, result.errors) == (stage, (code,))
    assert backend.calls == IN_ORDER[:calls]


def test_small_frame_is_refused_before_the_detection() -> None:
    """The detector does not run."""
    backend = RecordingBackend()
    small = np.zeros((239, 319, 3), np.uint8)
    result = Estimator(backend, Rules()).estimate(small, Profile.PASSIVE)
    assert result.errors == (Code.FRAME_TOO_NARROW, Code.FRAME_TOO_LOW)
    assert backend.calls == []


FAILING = [
    ("detect", Code.ESTIMATION_FAILED),
    ("quality", Code.ESTIMATION_FAILED),
    ("head_pose", Code.HEAD_POSE_FAILED),
    ("eyes", Code.EYES_FAILED),
    ("mouth", Code.MOUTH_FAILED),
    ("glasses", Code.GLASSES_FAILED),
    ("ags", Code.AGS_FAILED),
    ("liveness", Code.LIVENESS_FAILED),
]


@pytest.mark.parametrize(("failing", "code"), FAILING)
def test_failing_estimator_has_its_stages_code(failing: str, code: Code) -> None:
    """A backend's EstimationError fails the stage, with the code of that stage."""
    backend = RecordingBackend(failing=failing)
    result = estimate(backend)
    assert result.errors == (code,)
    assert backend.calls[-1] == failing


@pytest.mark.parametrize("failing", ["head_pose", "eyes"])
def test_failing_estimator_is_reported_during_actions(failing: str) -> None:
    """Measurements that the active profile does not judge are still taken."""
    assert not estimate(RecordingBackend(failing=failing), Profile.ACTIVE).ok


def test_active_profile_measures_without_judging() -> None:
    """During an action, a turned head and closed eyes are allowed; the eyes are the last stage."""
    backend = RecordingBackend(pose_answer=HeadPose(40, 0, 0), eyes_answer=Eyes(0, 0, False, False))
    result = estimate(backend, Profile.ACTIVE)
    assert (result.ok, result.stage, backend.calls) == (True, Stage.EYES, IN_ORDER[:4])
    assert result.head_pose == HeadPose(40, 0, 0)


def test_eyes_are_measured_carefully_only_during_actions() -> None:
    """The active profile asks for blinks, so it uses the more expensive measurement."""
    backend = RecordingBackend()
    estimate(backend, Profile.PASSIVE)
    estimate(backend, Profile.ACTIVE)
    assert backend.careful == [False, True]


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({}, True),
        ({"liveness_answer": Liveness(0.1, 0.9)}, True),
        ({"ags_answer": 0.1}, False),
        ({"pose_answer": HeadPose(40, 0, 0)}, False),
        ({"failing": "liveness"}, False),
    ],
)
def test_signs_are_measured_on_frames_that_reach_the_liveness_check(
    changes: dict[str, Any], measured: bool
) -> None:
    """The eyelids and the scene, without another run of the eyes' network.

    A frame that fails earlier costs no more.
    """
    backend = RecordingBackend(**changes)
    estimator = Estimator(backend, Rules(), signs=True, scene=True)
    result = estimator.estimate(FRAME, Profile.PASSIVE)
    assert (result.eyelids is not None, result.scene is not None) == (measured, measured)
    assert backend.careful.count(True) == 0


def test_signs_are_not_measured_if_off_or_during_actions() -> None:
    """LifeSigns off costs nothing; frames of an action show the action."""
    result = estimate(RecordingBackend())
    assert (result.eyelids, result.scene) == (None, None)
    estimator = Estimator(RecordingBackend(), Rules(), signs=True, scene=True)
    result = estimator.estimate(FRAME, Profile.ACTIVE)
    assert (result.eyelids, result.scene) == (None, None)


def test_a_mirrored_image_gives_the_persons_own_sides() -> None:
    """Yaw, roll and eyes change sides, pitch does not; the code names the person's own side."""
    backend = RecordingBackend(
        pose_answer=HeadPose(30, 5, -7), eyes_answer=Eyes(0.3, 0.1, True, False)
    )
    result = estimate(backend, mirrored=True)
    assert (result.head_pose, result.errors) == (HeadPose(-30, 5, 7), (Code.TURN_LEFT,))
    seen = estimate(backend, Profile.ACTIVE, mirrored=True).eyes
    assert seen == Eyes(0.1, 0.3, False, True)


def test_pitch_offset_is_added() -> None:
    """A camera below the face is corrected before the angle is judged."""
    rules = Rules(limits=ChecksSection(pitchOffsetDeg=-10.0))
    result = estimate(RecordingBackend(pose_answer=HeadPose(0, 25, 0)), rules=rules)
    assert (result.ok, result.head_pose) == (True, HeadPose(0, 15, 0))


@pytest.mark.parametrize(("policy", "chosen"), [(1, NEAR), (2, FAR)])
def test_policy_chooses_the_face(policy: Any, chosen: FixedFace) -> None:
    """Policy 1 judges the largest face, 2 the one closest to the centre."""
    backend = RecordingBackend(faces=[FAR, NEAR])
    rules = Rules(ThresholdsSection(multifacePolicy=policy, faceWidth=50, faceHeight=50))
    result = estimate(backend, rules=rules)
    assert (result.ok, result.faces, result.face) == (True, 2, chosen.box)
    assert all(face is chosen for face in backend.judged)


def test_without_passive_model_ags_is_the_last_stage() -> None:
    """A backend without liveness is not asked for it."""
    backend = RecordingBackend(capabilities=Capabilities(False, False, "fixed"))
    result = estimate(backend)
    assert (result.ok, result.stage, result.liveness) == (True, Stage.AGS, None)
    assert "liveness" not in backend.calls


@pytest.mark.parametrize("profile", Profile)
def test_describes_frames_that_passed(profile: Profile) -> None:
    """The descriptor comes last, and only if it is wanted."""
    asked, unasked = RecordingBackend(), RecordingBackend()
    assert estimate(asked, profile, describe=True).descriptor == b"\0" * 512
    assert estimate(unasked, profile).descriptor is None
    assert asked.calls == [*unasked.calls, "descriptor"]


def test_does_not_describe_a_failed_frame() -> None:
    """A frame that ends early has no descriptor."""
    backend = RecordingBackend(liveness_answer=Liveness(0, 1))
    assert estimate(backend, describe=True).descriptor is None
    assert "descriptor" not in backend.calls


def test_missing_descriptor_fails_the_frame() -> None:
    """A frame whose person cannot be compared must not pass for the same person."""
    result = estimate(RecordingBackend(failing="descriptor"), describe=True)
    assert result.errors == (Code.ESTIMATION_FAILED,)


def test_exhaustive_run_continues_and_keeps_the_first_failure() -> None:
    """Diagnosis measures everything but reports the same failure as a worker."""
    backend = RecordingBackend(
        pose_answer=HeadPose(0, 0, 30), liveness_answer=Liveness(0, 1), failing="mouth"
    )
    result = estimate(backend, exhaustive=True)
    assert backend.calls == IN_ORDER
    assert (result.stage, result.errors) == (Stage.HEAD_POSE, (Code.TILTED_LEFT,))
    assert (result.liveness, result.mouth) == (Liveness(0, 1), None)


def test_exhaustive_run_without_a_face_measures_nothing() -> None:
    """No later stage is called."""
    backend = RecordingBackend(faces=[])
    assert estimate(backend, exhaustive=True).errors == (Code.NO_FACE,)
    assert backend.calls == ["detect"]


@pytest.mark.parametrize("profile", Profile)
def test_every_frame_that_may_count_has_its_digest(profile: Profile) -> None:
    """These passed, or failed in liveness, which AggregateLiveness counts."""
    low = RecordingBackend(liveness_answer=Liveness(0.1, 1))
    for backend in (RecordingBackend(), low, RecordingBackend(failing="liveness")):
        assert estimate(backend, profile).pixels == pixel_digest(FRAME)
    mute = RecordingBackend(failing="descriptor")
    assert estimate(mute, profile, describe=True).pixels == pixel_digest(FRAME)


@pytest.mark.parametrize("answers", [answers for answers, *_ in EARLY[:-1]])
def test_a_frame_that_fails_early_costs_no_digest(answers: dict[str, Any]) -> None:
    """Frames that failed earlier are not hashed."""
    assert estimate(RecordingBackend(**answers)).pixels is None


def test_every_step_that_ran_is_timed() -> None:
    """Timings name the stages that ran, including the failed one."""
    result = estimate(RecordingBackend(failing="head_pose"))
    assert list(result.timings) == ["decode", "faces", "quality", "position", "head_pose"]
    assert all(ms >= 0 for ms in result.timings.values())


def test_an_estimate_names_the_rules_and_models_that_judged() -> None:
    """The token then states what the worker used, independent of the aggregator's configuration."""
    lax = Rules(ThresholdsSection(livenessScore=0.0))
    named = RecordingBackend(capabilities=Capabilities(True, True, "fixed", models="f" * 16))
    for rules in (Rules(), lax):
        for faces in ([], [GOOD_FACE]):
            named.faces = faces
            judged = estimate(named, rules=rules)
            assert (judged.rules, judged.models) == (rules.digest, "f" * 16)
    assert Rules().digest != lax.digest


def test_a_backend_without_a_digest_is_named_by_its_class() -> None:
    """Every estimate names its models."""
    plain, other = (
        estimate(RecordingBackend(capabilities=Capabilities(True, True, name))).models
        for name in ("one", "another")
    )
    assert len(plain) == 16
    assert plain != other


@pytest.mark.parametrize("refused", [False, True])
def test_a_frame_refused_for_liveness_is_described_if_it_counts(refused: bool) -> None:
    """AggregateLiveness counts it and must know whose it is; earlier failures get no descriptor."""
    poor = RecordingBackend(liveness_answer=Liveness(0.1, 0.9))
    judged = estimate(poor, describe=True, describe_refused=refused)
    assert (judged.descriptor is not None) is refused
    assert judged.errors == (Code.LOW_LIVENESS,)
    blurred = RecordingBackend(quality_answer=Quality(0, 1, 1, 1, 1))
    assert estimate(blurred, describe=True, describe_refused=refused).descriptor is None
    assert "descriptor" not in blurred.calls


def test_a_refused_frame_that_cannot_be_described_keeps_its_codes() -> None:
    """The liveness code is not replaced by code 2."""
    poor = RecordingBackend(liveness_answer=Liveness(0.1, 0.9), failing="descriptor")
    judged = estimate(poor, describe=True, describe_refused=True)
    assert (judged.errors, judged.descriptor) == ((Code.LOW_LIVENESS,), None)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_finite_number_fails_liveness(score: float) -> None:
    """It passes every comparison, so a backend of one's own could pass it on."""
    judged = estimate(RecordingBackend(liveness_answer=Liveness(score, 0.9)))
    assert (judged.errors, judged.liveness) == ((Code.LIVENESS_FAILED,), None)
