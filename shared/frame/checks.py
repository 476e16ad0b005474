"""The checks: which comparison in which stage gives which code.

Only whether an eye is open is decided by the backend (``[CHECKS] eyeOpen``).

The tuple ``CHECKS`` below has the order of LUNA PASS 1.x. A check is a pure function of an estimate
and the rules; it returns the codes of what failed. A value equal to its threshold passes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from shared.codes import Code
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import ChecksSection, Config
from shared.digests import short_digest
from shared.frame.estimation import Estimate, Liveness, Profile, Stage

BOX_SLACK, QUALITY_SLACK, POSE_SLACK = 0.1, 0.1, 4.0
"""Allowance for the errors of a quick look: of the face box as a share of its sides, of the scores
of quality, and of the angles in degrees. Measured in docs/optimisations.md."""


@dataclass(frozen=True)
class Rules:
    """Thresholds and limits of the checks.

    Attributes:
        box_slack: share of its sides by which a face box may miss its limits.
    """

    thresholds: ThresholdsSection = field(default_factory=ThresholdsSection)
    limits: ChecksSection = field(default_factory=ChecksSection)
    box_slack: float = 0.0

    @classmethod
    def of(cls, config: Config) -> Rules:
        """Return the rules of a configuration."""
        return cls(config.LIVENESS.THRESHOLDS, config.CHECKS)

    def lenient(self) -> Rules:
        """Return rules that allow for the errors of a quick look.

        They differ in the checks before the eyes. A frame that they refuse would probably be
        refused after a full look, too.
        """
        strict = self.thresholds
        scores = {
            name: max(0.0, getattr(strict, name) - QUALITY_SLACK)
            for name in ("blur", "light", "dark", "illumination", "specularity")
        }
        angles = {name: getattr(strict, name) + POSE_SLACK for name in ("yaw", "pitch", "roll")}
        thresholds = strict.model_copy(update={**scores, **angles})
        return replace(self, thresholds=thresholds, box_slack=BOX_SLACK)

    @cached_property
    def sunglasses_allowed(self) -> bool:
        """Whether sunglasses, which hide the eyes, are allowed."""
        return "sunglasses" in self.thresholds.glasses

    def min_margins(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return the minimum distances of the face box from the frame's borders, in pixels.

        Returns:
            Left, top, right and bottom: ``frameMargin``, or more where the region is smaller.
        """
        x, y, wide, high = self.thresholds.ROI
        least = self.thresholds.frameMargin
        return (
            max(least, x * width / 100),
            max(least, y * height / 100),
            max(least, (100 - x - wide) * width / 100),
            max(least, (100 - y - high) * height / 100),
        )

    @cached_property
    def digest(self) -> str:
        """Short digest of every threshold and limit, without the camera's rotation."""
        limits = self.limits.model_dump(exclude={"rotate"})
        return short_digest([self.thresholds.model_dump(), limits])


Codes = tuple[Code, ...]
Check = Callable[[Estimate, Rules], Codes]


def _when(failed: bool, code: Code) -> Codes:
    return (code,) if failed else ()


def frame_size(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the frame's width and height with their minimum."""
    return _when(estimate.width < rules.limits.frameWidth, Code.FRAME_TOO_NARROW) + _when(
        estimate.height < rules.limits.frameHeight, Code.FRAME_TOO_LOW
    )


def face_count(estimate: Estimate, rules: Rules) -> Codes:
    """Require a face, and exactly one under ``multifacePolicy`` 0."""
    if estimate.faces == 0:
        return (Code.NO_FACE,)
    several = estimate.faces > 1 and rules.thresholds.multifacePolicy == 0
    return _when(several, Code.SEVERAL_FACES)


def quality(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the measures of sharpness and light."""
    measured, minimum = estimate.quality, rules.thresholds
    if measured is None:
        return (Code.ESTIMATION_FAILED,)
    return (
        _when(measured.blur < minimum.blur, Code.BLURRED)
        + _when(measured.light < minimum.light, Code.TOO_LIGHT)
        + _when(measured.darkness < minimum.dark, Code.TOO_DARK)
        + _when(measured.illumination < minimum.illumination, Code.UNEVEN_LIGHT)
        + _when(measured.specularity < minimum.specularity, Code.GLARE)
    )


def face_size(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the face box with the minimum and maximum size."""
    face = estimate.face
    if face is None:
        return (Code.NO_FACE,)
    max_width = rules.limits.faceShare * min(estimate.width, estimate.height)
    larger, smaller = 1 + rules.box_slack, 1 - rules.box_slack
    return (
        _when(face.width * larger < rules.thresholds.faceWidth, Code.FACE_TOO_NARROW)
        + _when(face.height * larger < rules.thresholds.faceHeight, Code.FACE_TOO_LOW)
        + _when(face.width * smaller > max_width, Code.FACE_TOO_CLOSE)
    )


def margins(estimate: Estimate) -> tuple[int, int, int, int]:
    """Return the pixels from the face box to the frame's left, top, right and bottom border."""
    face = estimate.face
    if face is None:
        return (0, 0, 0, 0)
    return (
        face.x,
        face.y,
        estimate.width - face.x - face.width,
        estimate.height - face.y - face.height,
    )


def frame_margins(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the distance of the face box from each border of the frame and of the region."""
    least = rules.min_margins(estimate.width, estimate.height)
    slack = rules.box_slack * max(estimate.face.width, estimate.face.height) if estimate.face else 0
    left, top, right, bottom = (margin + slack for margin in margins(estimate))
    return (
        _when(bottom < least[3], Code.MARGIN_BOTTOM)
        + _when(left < least[0], Code.MARGIN_LEFT)
        + _when(top < least[1], Code.MARGIN_TOP)
        + _when(right < least[2], Code.MARGIN_RIGHT)
    )


def head_pose(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the three angles; a code names what the person should do."""
    pose, maximum = estimate.head_pose, rules.thresholds
    if pose is None:
        return (Code.HEAD_POSE_FAILED,)
    return (
        _when(pose.yaw > maximum.yaw, Code.TURN_RIGHT)
        + _when(pose.yaw < -maximum.yaw, Code.TURN_LEFT)
        + _when(pose.roll < -maximum.roll, Code.TILTED_RIGHT)
        + _when(pose.roll > maximum.roll, Code.TILTED_LEFT)
        + _when(pose.pitch < -maximum.pitch, Code.CHIN_UP)
        + _when(pose.pitch > maximum.pitch, Code.CHIN_DOWN)
    )


def eyes(estimate: Estimate, rules: Rules) -> Codes:
    """Require one open eye or both, by ``acceptOneEyeOpen``, unless sunglasses are allowed."""
    if estimate.eyes is None:
        return (Code.EYES_FAILED,)
    each = (estimate.eyes.left_open, estimate.eyes.right_open)
    enough = any(each) if rules.thresholds.acceptOneEyeOpen else all(each)
    return _when(not enough and not rules.sunglasses_allowed, Code.EYES_CLOSED)


def mouth(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the scores of an open, smiling and occluded mouth; all have the same code."""
    if estimate.mouth is None:
        return (Code.MOUTH_FAILED,)
    worst = max(estimate.mouth.opened, estimate.mouth.smile, estimate.mouth.occluded)
    return _when(worst > rules.thresholds.mouth, Code.MOUTH_OCCLUDED)


def glasses(estimate: Estimate, rules: Rules) -> Codes:
    """Require an allowed kind of glasses."""
    if estimate.glasses is None:
        return (Code.GLASSES_FAILED,)
    return _when(estimate.glasses not in rules.thresholds.glasses, Code.GLASSES_NOT_ALLOWED)


def ags(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the suitability for face comparison."""
    if estimate.ags is None:
        return (Code.AGS_FAILED,)
    return _when(estimate.ags < rules.thresholds.ags, Code.LOW_AGS)


def liveness(estimate: Estimate, rules: Rules) -> Codes:
    """Compare the liveness score, the signs of a screen and the quality score."""
    measured, minimum = estimate.liveness, rules.thresholds
    if measured is None:
        return (Code.LIVENESS_FAILED,)
    low = has_moire(measured, rules) or measured.score < minimum.livenessScore
    return _when(low, Code.LOW_LIVENESS) + _when(
        measured.quality_score < minimum.livenessQualityScore, Code.LOW_LIVENESS_QUALITY
    )


def has_moire(measured: Liveness, rules: Rules) -> bool:
    """Return whether a face shows the moire of a screen; never if that check is off."""
    return 0 < rules.limits.moire < measured.moire


def live_score(measured: Liveness, rules: Rules) -> float:
    """Return the score as evidence for a live person: 0 with the moire of a screen.

    The check refuses a frame with moire whatever its score. So where several frames are judged
    together, the score of such a frame must not help the others.
    """
    return 0.0 if has_moire(measured, rules) else measured.score


CHECKS: tuple[tuple[Stage, Check], ...] = (
    (Stage.DECODE, frame_size),
    (Stage.FACES, face_count),
    (Stage.QUALITY, quality),
    (Stage.POSITION, face_size),
    (Stage.POSITION, frame_margins),
    (Stage.HEAD_POSE, head_pose),
    (Stage.EYES, eyes),
    (Stage.MOUTH, mouth),
    (Stage.GLASSES, glasses),
    (Stage.AGS, ags),
    (Stage.LIVENESS, liveness),
)
"""The checks of each stage, in the order of LUNA PASS 1.x."""

_CHECKS_OF: dict[Stage, tuple[Check, ...]] = {
    stage: tuple(check for checked, check in CHECKS if checked is stage) for stage in Stage
}

FAILURE: dict[Stage, Code] = {
    Stage.DECODE: Code.FRAME_UNDECODABLE,
    Stage.HEAD_POSE: Code.HEAD_POSE_FAILED,
    Stage.EYES: Code.EYES_FAILED,
    Stage.MOUTH: Code.MOUTH_FAILED,
    Stage.GLASSES: Code.GLASSES_FAILED,
    Stage.AGS: Code.AGS_FAILED,
    Stage.LIVENESS: Code.LIVENESS_FAILED,
}
"""Code of a stage whose estimation failed; the other stages have ``ESTIMATION_FAILED``."""

UNJUDGED_WHILE_ACTING = frozenset({Stage.HEAD_POSE, Stage.EYES})
"""Stages that the active profile measures but does not judge."""


def judge(stage: Stage, estimate: Estimate, rules: Rules) -> Codes:
    """Run the checks of the stage that was just measured; return codes in the table's order."""
    if estimate.profile is Profile.ACTIVE and stage in UNJUDGED_WHILE_ACTING:
        return ()
    found: Codes = ()
    for check in _CHECKS_OF[stage]:
        found += check(estimate, rules)
    return found
