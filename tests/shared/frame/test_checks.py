from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection, Config
from shared.frame.checks import CHECKS, FAILURE, Rules, judge, margins
from shared.frame.estimation import (
    Box,
    Estimate,
    Eyes,
    HeadPose,
    Liveness,
    Mouth,
    Profile,
    Quality,
    Stage,
)

RULES = Rules()
LEAST, LIMITS = RULES.thresholds, RULES.limits


def passing(**changes: Any) -> Estimate:
    """An estimate on which every check passes."""
    estimate = Estimate(
        width=640,
        height=480,
        stage=Stage.LIVENESS,
        faces=1,
        face=Box(200, 100, 240, 300),
        quality=Quality(0.9, 0.9, 0.9, 0.9, 0.9),
        head_pose=HeadPose(0.0, 0.0, 0.0),
        eyes=Eyes(0.3, 0.3, True, True),
        mouth=Mouth(0.0, 0.0, 0.0),
        glasses="no_glasses",
        ags=0.9,
        liveness=Liveness(0.9, 0.9),
    )
    return dataclasses.replace(estimate, **changes)


def below(value: float) -> float:
    return math.nextafter(value, -math.inf)


def above(value: float) -> float:
    return math.nextafter(value, math.inf)


def quality(**measure: float) -> dict[str, Quality]:
    return {"quality": dataclasses.replace(Quality(1.0, 1.0, 1.0, 1.0, 1.0), **measure)}


def pose(**angle: float) -> dict[str, HeadPose]:
    return {"head_pose": dataclasses.replace(HeadPose(0.0, 0.0, 0.0), **angle)}


def mouth(**score: float) -> dict[str, Mouth]:
    return {"mouth": dataclasses.replace(Mouth(0.0, 0.0, 0.0), **score)}


def box(x: int = 200, y: int = 100, width: int = 240, height: int = 300) -> dict[str, Box]:
    return {"face": Box(x, y, width, height)}


MARGIN = LEAST.frameMargin
WIDEST = int(LIMITS.faceShare * 480)

BOUNDARIES: list[tuple[Stage, Code, dict[str, Any], dict[str, Any]]] = [
    (Stage.DECODE, Code.FRAME_TOO_NARROW, {"width": 320}, {"width": 319}),
    (Stage.DECODE, Code.FRAME_TOO_LOW, {"height": 240}, {"height": 239}),
    (Stage.FACES, Code.NO_FACE, {"faces": 1}, {"faces": 0}),
    (Stage.FACES, Code.SEVERAL_FACES, {"faces": 1}, {"faces": 2}),
    (Stage.QUALITY, Code.BLURRED, quality(blur=LEAST.blur), quality(blur=below(LEAST.blur))),
    (Stage.QUALITY, Code.TOO_LIGHT, quality(light=LEAST.light), quality(light=below(LEAST.light))),
    (
        Stage.QUALITY,
        Code.TOO_DARK,
        quality(darkness=LEAST.dark),
        quality(darkness=below(LEAST.dark)),
    ),
    (
        Stage.QUALITY,
        Code.UNEVEN_LIGHT,
        quality(illumination=LEAST.illumination),
        quality(illumination=below(LEAST.illumination)),
    ),
    (
        Stage.QUALITY,
        Code.GLARE,
        quality(specularity=LEAST.specularity),
        quality(specularity=below(LEAST.specularity)),
    ),
    (Stage.POSITION, Code.FACE_TOO_NARROW, box(width=200), box(width=199)),
    (Stage.POSITION, Code.FACE_TOO_LOW, box(height=200), box(height=199)),
    (Stage.POSITION, Code.FACE_TOO_CLOSE, box(width=WIDEST), box(width=WIDEST + 1)),
    (Stage.POSITION, Code.MARGIN_LEFT, box(x=MARGIN), box(x=MARGIN - 1)),
    (Stage.POSITION, Code.MARGIN_TOP, box(y=MARGIN), box(y=MARGIN - 1)),
    (Stage.POSITION, Code.MARGIN_RIGHT, box(x=400 - MARGIN), box(x=401 - MARGIN)),
    (Stage.POSITION, Code.MARGIN_BOTTOM, box(y=180 - MARGIN), box(y=181 - MARGIN)),
    (Stage.HEAD_POSE, Code.TURN_RIGHT, pose(yaw=20.0), pose(yaw=above(20.0))),
    (Stage.HEAD_POSE, Code.TURN_LEFT, pose(yaw=-20.0), pose(yaw=below(-20.0))),
    (Stage.HEAD_POSE, Code.TILTED_LEFT, pose(roll=20.0), pose(roll=above(20.0))),
    (Stage.HEAD_POSE, Code.TILTED_RIGHT, pose(roll=-20.0), pose(roll=below(-20.0))),
    (Stage.HEAD_POSE, Code.CHIN_DOWN, pose(pitch=20.0), pose(pitch=above(20.0))),
    (Stage.HEAD_POSE, Code.CHIN_UP, pose(pitch=-20.0), pose(pitch=below(-20.0))),
    (
        Stage.EYES,
        Code.EYES_CLOSED,
        {"eyes": Eyes(0.0, 0.3, False, True)},
        {"eyes": Eyes(0.0, 0.0, False, False)},
    ),
    (Stage.MOUTH, Code.MOUTH_OCCLUDED, mouth(opened=0.4), mouth(opened=above(0.4))),
    (Stage.MOUTH, Code.MOUTH_OCCLUDED, mouth(smile=0.4), mouth(smile=above(0.4))),
    (Stage.MOUTH, Code.MOUTH_OCCLUDED, mouth(occluded=0.4), mouth(occluded=above(0.4))),
    (
        Stage.GLASSES,
        Code.GLASSES_NOT_ALLOWED,
        {"glasses": "eyeglasses"},
        {"glasses": "sunglasses"},
    ),
    (Stage.AGS, Code.LOW_AGS, {"ags": 0.8}, {"ags": below(0.8)}),
    (
        Stage.LIVENESS,
        Code.LOW_LIVENESS,
        {"liveness": Liveness(0.5, 1.0)},
        {"liveness": Liveness(below(0.5), 1.0)},
    ),
    (
        Stage.LIVENESS,
        Code.LOW_LIVENESS_QUALITY,
        {"liveness": Liveness(1.0, 0.5)},
        {"liveness": Liveness(1.0, below(0.5))},
    ),
]


@pytest.mark.parametrize(("stage", "code", "last_good", "first_bad"), BOUNDARIES)
def test_equality_passes_and_the_next_value_fails(
    stage: Stage, code: Code, last_good: dict[str, Any], first_bad: dict[str, Any]
) -> None:
    """A value at the threshold passes; the next value beyond gives exactly one code."""
    assert judge(stage, passing(**last_good), RULES) == ()
    assert judge(stage, passing(**first_bad), RULES) == (code,)


def test_boundaries_cover_every_code_a_check_can_give() -> None:
    """The table above has all codes from the frame's size to liveness."""
    judged = {code for _, code, _, _ in BOUNDARIES}
    failures = {*FAILURE.values(), Code.ESTIMATION_FAILED}
    frame_codes = {code for code in Code if code < Code.ACTION_FAILED} - failures
    assert judged == frame_codes - {Code.EXTERNAL_FAILED, Code.AGGREGATING, Code.SESSION_FAILED}


MISSING = [
    (Stage.QUALITY, "quality", Code.ESTIMATION_FAILED),
    (Stage.HEAD_POSE, "head_pose", Code.HEAD_POSE_FAILED),
    (Stage.EYES, "eyes", Code.EYES_FAILED),
    (Stage.MOUTH, "mouth", Code.MOUTH_FAILED),
    (Stage.GLASSES, "glasses", Code.GLASSES_FAILED),
    (Stage.AGS, "ags", Code.AGS_FAILED),
    (Stage.LIVENESS, "liveness", Code.LIVENESS_FAILED),
]


@pytest.mark.parametrize(("stage", "measure", "code"), MISSING)
def test_a_missing_measurement_fails(stage: Stage, measure: str, code: Code) -> None:
    """It never passes a check."""
    assert judge(stage, passing(**{measure: None}), RULES) == (code,)


def test_missing_face_fails_its_position() -> None:
    """A frame without a face box fails."""
    errors = judge(Stage.POSITION, passing(face=None), RULES)
    assert Code.NO_FACE in errors
    assert margins(passing(face=None)) == (0, 0, 0, 0)


@pytest.mark.parametrize("policy", [1, 2])
def test_several_faces_pass_if_the_policy_chooses_one(policy: Any) -> None:
    """Only ``multifacePolicy`` 0 refuses a second face."""
    rules = Rules(ThresholdsSection(multifacePolicy=policy))
    assert judge(Stage.FACES, passing(faces=3), rules) == ()


def test_shut_eyes_pass_if_sunglasses_are_allowed() -> None:
    """Eyes behind allowed dark lenses need not be visible."""
    rules = Rules(ThresholdsSection(glasses=["sunglasses"]))
    assert judge(Stage.EYES, passing(eyes=Eyes(0, 0, False, False)), rules) == ()


@pytest.mark.parametrize(("left", "right"), [(True, False), (False, True)])
def test_both_eyes_may_be_required(left: bool, right: bool) -> None:
    """With ``acceptOneEyeOpen`` 0 one shut eye fails, as in LUNA PASS 2.x by default."""
    estimate = passing(eyes=Eyes(0.3, 0.3, left, right))
    strict = Rules(ThresholdsSection(acceptOneEyeOpen=False))
    assert judge(Stage.EYES, estimate, RULES) == ()
    assert judge(Stage.EYES, estimate, strict) == (Code.EYES_CLOSED,)
    assert judge(Stage.EYES, passing(), strict) == ()
    assert strict.digest != RULES.digest


REGION: list[tuple[Code, dict[str, Any], dict[str, Any]]] = [
    (Code.MARGIN_LEFT, box(x=128), box(x=127)),
    (Code.MARGIN_TOP, box(y=48), box(y=47)),
    (Code.MARGIN_RIGHT, box(x=448 - 200, width=200), box(x=449 - 200, width=200)),
    (Code.MARGIN_BOTTOM, box(y=432 - 300), box(y=433 - 300)),
]


@pytest.mark.parametrize(("code", "last_good", "first_bad"), REGION)
def test_a_face_must_be_in_the_region(
    code: Code, last_good: dict[str, Any], first_bad: dict[str, Any]
) -> None:
    """ROI is left, top, width and height in percent of the frame; its borders belong to it."""
    rules = Rules(ThresholdsSection(ROI=[20.0, 10.0, 50.0, 80.0]))
    assert judge(Stage.POSITION, passing(**last_good), rules) == ()
    assert judge(Stage.POSITION, passing(**first_bad), rules) == (code,)
    assert judge(Stage.POSITION, passing(**first_bad), RULES) == ()
    assert rules.digest != RULES.digest


def test_the_margin_of_the_frame_holds_in_a_large_region() -> None:
    """The stricter of ``frameMargin`` and ROI counts."""
    rules = Rules(ThresholdsSection(ROI=[1.0, 1.0, 98.0, 98.0]))
    assert judge(Stage.POSITION, passing(**box(x=MARGIN - 1)), rules) == (Code.MARGIN_LEFT,)


def test_all_failures_of_a_stage_are_reported_in_the_order_of_the_table() -> None:
    """A stage reports all of its failed checks."""
    worst = passing(quality=Quality(0, 0, 0, 0, 0))
    assert judge(Stage.QUALITY, worst, RULES) == (
        Code.BLURRED,
        Code.TOO_LIGHT,
        Code.TOO_DARK,
        Code.UNEVEN_LIGHT,
        Code.GLARE,
    )


@pytest.mark.parametrize("stage", [Stage.HEAD_POSE, Stage.EYES])
def test_pose_and_eyes_are_not_judged_during_actions(stage: Stage) -> None:
    """The active profile measures them without a code."""
    acting = passing(
        profile=Profile.ACTIVE,
        head_pose=HeadPose(60, 60, 60),
        eyes=Eyes(0, 0, False, False),
    )
    assert judge(stage, acting, RULES) == ()


def test_rules_come_from_the_configuration() -> None:
    """Rules are the configuration's own sections."""
    config = Config.model_validate({"LIVENESS": {"THRESHOLDS": {"yaw": 7.0}}})
    rules = Rules.of(config)
    assert judge(Stage.HEAD_POSE, passing(**pose(yaw=8.0)), rules) == (Code.TURN_RIGHT,)


def test_table_is_in_the_order_of_the_stages() -> None:
    """The table has the order in which the stages run."""
    stages = [stage for stage, _ in CHECKS]
    assert stages == sorted(stages)


unit = st.floats(0, 1)
angle = st.floats(-180, 180)
qualities = st.builds(Quality, unit, unit, unit, unit, unit)


@given(worse=qualities, share=unit)
def test_better_quality_never_adds_a_failure(worse: Quality, share: float) -> None:
    """Moving every measurement towards 1 only removes codes."""
    better = Quality(*(v + (1 - v) * share for v in dataclasses.astuple(worse)))
    before = judge(Stage.QUALITY, passing(quality=worse), RULES)
    assert set(judge(Stage.QUALITY, passing(quality=better), RULES)) <= set(before)


@given(yaw=angle, pitch=angle, roll=angle, share=unit)
def test_turning_towards_the_camera_never_adds_a_failure(
    yaw: float, pitch: float, roll: float, share: float
) -> None:
    """Smaller angles of the same sign only remove codes."""
    before = judge(Stage.HEAD_POSE, passing(head_pose=HeadPose(yaw, pitch, roll)), RULES)
    nearer = HeadPose(yaw * share, pitch * share, roll * share)
    assert set(judge(Stage.HEAD_POSE, passing(head_pose=nearer), RULES)) <= set(before)


OPPOSITES = {
    Code.TURN_LEFT: Code.TURN_RIGHT,
    Code.TILTED_LEFT: Code.TILTED_RIGHT,
    Code.CHIN_UP: Code.CHIN_DOWN,
}
OPPOSITES |= {second: first for first, second in OPPOSITES.items()}


@given(yaw=angle, pitch=angle, roll=angle)
def test_opposite_pose_asks_for_the_opposite(yaw: float, pitch: float, roll: float) -> None:
    """Changing all signs swaps each code for its opposite."""
    here = judge(Stage.HEAD_POSE, passing(head_pose=HeadPose(yaw, pitch, roll)), RULES)
    there = judge(Stage.HEAD_POSE, passing(head_pose=HeadPose(-yaw, -pitch, -roll)), RULES)
    assert set(there) == {OPPOSITES[code] for code in here}


side = st.integers(-200, 900)


@given(x=side, y=side, width=st.integers(0, 900), height=st.integers(0, 900))
def test_a_passed_face_is_inside_the_frame(x: int, y: int, width: int, height: int) -> None:
    """Any face box that passes is completely within the margins."""
    estimate = passing(face=Box(x, y, width, height))
    if judge(Stage.POSITION, estimate, RULES) == ():
        assert min(margins(estimate)) >= MARGIN
        assert sum(margins(estimate)[::2]) + width == estimate.width


def test_moire_refuses_a_frame_if_the_check_is_on() -> None:
    """Above ``CHECKS.moire`` a frame fails whatever its score; equality passes, 0 is off."""
    looking = Rules(limits=ChecksSection(moire=5.0))
    for peak, rules, codes in (
        (above(5.0), looking, (Code.LOW_LIVENESS,)),
        (5.0, looking, ()),
        (99.0, Rules(), ()),
    ):
        estimate = passing(liveness=Liveness(1.0, 1.0, peak))
        assert judge(Stage.LIVENESS, estimate, rules) == codes


@given(
    scores=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    angles=st.lists(st.floats(-180, 180), min_size=3, max_size=3),
    box=st.builds(
        Box, st.integers(-80, 640), st.integers(-80, 480), st.integers(1, 640), st.integers(1, 640)
    ),
)
def test_lenient_rules_refuse_no_more(scores: list[float], angles: list[float], box: Box) -> None:
    """What they refuse, the rules refuse with at least the same codes."""
    estimate = passing(quality=Quality(*scores), head_pose=HeadPose(*angles), face=box)
    for stage in Stage:
        lenient = judge(stage, estimate, RULES.lenient())
        assert set(lenient) <= set(judge(stage, estimate, RULES))


def test_lenient_rules_allow_for_the_errors_of_a_quick_look() -> None:
    """They refuse clear faults, and nothing near a threshold."""
    near = passing(
        quality=Quality(0.55, 0.5, 0.45, 0.05, 0.05),
        head_pose=HeadPose(23, -23, 23),
        face=Box(-5, -5, 190, 190),
    )
    far = passing(
        quality=Quality(0.5, 0.46, 0.39, 0.0, 0.0),
        head_pose=HeadPose(25, -25, 25),
        face=Box(-20, -20, 150, 150),
    )
    for stage in (Stage.QUALITY, Stage.POSITION, Stage.HEAD_POSE):
        assert judge(stage, near, RULES)
        assert not judge(stage, near, RULES.lenient())
        assert judge(stage, far, RULES.lenient())
    assert RULES.lenient().digest != RULES.digest
