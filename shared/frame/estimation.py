"""The result of a frame's estimation, and the interface of a backend.

Angles are in degrees, from the person's view: yaw > 0 turned to the person's own left, pitch > 0
chin up, roll > 0 head tilted to the person's own left shoulder. In an image that is not mirrored
the person's left is the image's right, so yaw > 0 looks to the image's right and roll > 0 is a
clockwise rotation in the image. Roll covers the full circle, from -180 to 180: an upside-down face
has about 180. Backends return this convention whatever their model uses.
"""

import sys
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, Protocol

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from shared.digests import SHORT
from shared.frame.eyelids import Eyelids
from shared.frame.scene import Scene

Image = NDArray[np.uint8]
"""Image of shape (height, width, 3), BGR, 0..255."""

MAX_FLOAT = sys.float_info.max
# A bound also refuses NaN, for which every comparison is false.
Finite = Annotated[float, Meta(ge=-MAX_FLOAT, le=MAX_FLOAT)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
Pixels = Annotated[int, Meta(ge=-100_000, le=100_000)]
ShortDigest = Annotated[str, Meta(max_length=SHORT)]
Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""
EyeCentres = tuple[tuple[float, float], tuple[float, float]]
"""Centres of both eyes, (x, y) in pixels of the frame. The first is the one on the image's left if
the head is upright."""


class Stage(IntEnum):
    """Stages of the estimation in the order in which they run; cheap ones first."""

    DECODE = 0
    FACES = 1
    QUALITY = 2
    POSITION = 3
    HEAD_POSE = 4
    EYES = 5
    MOUTH = 6
    GLASSES = 7
    AGS = 8
    LIVENESS = 9


class Profile(StrEnum):
    """Which checks a frame must pass.

    PASSIVE runs every stage. ACTIVE is for frames taken while the person performs an action: head
    pose and eyes are measured but not judged, and the stages after the eyes do not run.
    """

    PASSIVE = "passive"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Box:
    """Rectangle in pixels of the frame; it may extend beyond the frame's borders."""

    x: Pixels
    y: Pixels
    width: Annotated[int, Meta(ge=0, le=100_000)]
    height: Annotated[int, Meta(ge=0, le=100_000)]

    @property
    def area(self) -> int:
        """Area in square pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of the face area, each 0..1; high is good."""

    blur: Unit
    light: Unit
    darkness: Unit
    illumination: Unit
    specularity: Unit


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Head rotation in degrees, in this module's convention."""

    yaw: Finite
    pitch: Finite
    roll: Finite


@dataclass(frozen=True, slots=True)
class Eyes:
    """Eye openness (lid distance over eye width, about .3 open, under .1 closed) and decision.

    Attributes:
        left: openness of the person's own left eye.
        right: openness of the person's own right eye.
    """

    left: Finite
    right: Finite
    left_open: bool
    right_open: bool


@dataclass(frozen=True, slots=True)
class Mouth:
    """Scores 0..1 of an open, smiling and occluded mouth; low is good."""

    opened: Unit
    smile: Unit
    occluded: Unit


Glasses = Literal["no_glasses", "eyeglasses", "sunglasses"]


MOIRE_SIDE = 192
"""Side in pixels of the middle of a face in which moire is measured. It is not scaled: that moves
and creates peaks."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """Passive liveness of a face.

    Attributes:
        score: score of a live face, 0..1, high is good.
        quality_score: suitability of the frame for liveness, 0..1, high is good.
        moire: height of the highest peak in the face's spectrum, low is good; 0 if not measured,
            as in a face of less than ``MOIRE_SIDE``.
    """

    score: Unit
    quality_score: Unit
    moire: Annotated[float, Meta(ge=0.0, le=MAX_FLOAT)] = 0.0


@dataclass(slots=True)
class Estimate:
    """Everything measured on one frame; measures of stages that did not run are None.

    Attributes:
        width: frame width in pixels.
        height: frame height in pixels.
        profile: profile under which the frame was judged.
        stage: last stage that ran.
        errors: codes of the failed checks of that stage; empty if all stages passed.
        ags: suitability for face comparison, 0..1.
        liveness: passive liveness; None also if the backend has no model for it.
        descriptor: face descriptor for comparing persons, float32 bytes of unit length.
        timings: milliseconds spent per step.
        rules: digest of the thresholds and limits that judged the frame; empty if none did.
        models: digest of the models that measured it; empty if none did.
        rotation: clockwise rotation in addition to EXIF, in degrees.
        pixels: digest of the frame's pixels; None if a check before liveness failed, since
            hashing costs time.
        eyelids: brightness around both eyes, for LifeSigns; None if the frame does not reach the
            liveness check.
        scene: brightness of the frame in a coarse grid; None also unless the camera is fixed.
        needs_actions: the liveness model is too weak to decide without actions
            (``Capabilities.needs_actions``).
        quick: a quick look refused the frame.
    """

    width: Annotated[int, Meta(ge=0, le=100_000)]
    height: Annotated[int, Meta(ge=0, le=100_000)]
    profile: Profile = Profile.PASSIVE
    stage: Stage = Stage.DECODE
    errors: tuple[int, ...] = ()
    faces: Annotated[int, Meta(ge=0, le=10_000)] = 0
    face: Box | None = None
    quality: Quality | None = None
    head_pose: HeadPose | None = None
    eyes: Eyes | None = None
    mouth: Mouth | None = None
    glasses: Glasses | None = None
    ags: Unit | None = None
    liveness: Liveness | None = None
    descriptor: Annotated[bytes, Meta(max_length=8192)] | None = None
    timings: dict[str, Finite] = field(default_factory=dict)
    rules: ShortDigest = ""
    models: ShortDigest = ""
    rotation: Rotation = 0
    pixels: Annotated[bytes, Meta(min_length=16, max_length=16)] | None = None
    eyelids: Eyelids | None = None
    scene: Scene | None = None
    needs_actions: bool = False
    quick: bool = False

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.errors

    @property
    def reached_liveness(self) -> bool:
        """Whether the frame reached the liveness stage."""
        return self.stage is Stage.LIVENESS

    @property
    def refused_early(self) -> bool:
        """Whether its one face failed a check that a quick look makes; passive profile only."""
        early = Stage.QUALITY <= self.stage <= Stage.HEAD_POSE
        return early and not self.ok and self.profile is Profile.PASSIVE and self.faces == 1


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can estimate with its models.

    Attributes:
        name: backend and model set, for logs and the status page.
        models: digest of the models, for the token's claim ``policy``; if the backend has none, it
            is empty, and its class and ``name`` are used instead.
        needs_actions: the liveness model is too weak to decide without actions: ActiveLiveness must
            be on, and no session is accepted before its actions are done.
        quick_look: it has ``look_quickly``.
    """

    passive_liveness: bool
    descriptor: bool
    name: str
    models: ShortDigest = ""
    needs_actions: bool = False
    quick_look: bool = False


class Face(Protocol):
    """One detected face; backends may attach data for their later stages."""

    @property
    def box(self) -> Box:
        """Box of the face in frame pixels."""

    @property
    def score(self) -> float:
        """Confidence of the detection, 0..1."""


class Backend(Protocol):
    """Source of measures; each worker process has one instance.

    Every method may raise ``EstimationError``; the estimator turns it into the stage's code.
    ``face`` was always returned by this instance's ``detect`` or ``look_quickly`` for the same
    image.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this instance can estimate."""

    def detect(self, image: Image) -> list[Face]:
        """Find all faces of an image."""

    def look_quickly(self, image: Image) -> list[Face]:
        """Find faces with less effort: boxes are less exact, and small faces may be missed.

        Only called with ``capabilities.quick_look``.
        """

    def quality(self, image: Image, face: Face) -> Quality:
        """Measure sharpness and light on the face area."""

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        """Measure the rotation of the head."""

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        """Measure eye openness; ``careful`` requests the best measure at any cost."""

    def eye_centres(self, image: Image, face: Face) -> EyeCentres:
        """Find both eyes; called only for LifeSigns, and only after ``eyes``."""

    def mouth(self, image: Image, face: Face) -> Mouth:
        """Measure the mouth."""

    def glasses(self, image: Image, face: Face) -> Glasses:
        """Classify the glasses."""

    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        """Measure suitability for face comparison, 0..1."""

    def liveness(self, image: Image, face: Face) -> Liveness:
        """Measure passive liveness; only called with ``capabilities.passive_liveness``."""

    def descriptor(self, image: Image, face: Face) -> bytes:
        """Compute the face descriptor, float32 bytes of unit length; any other counts as missing.

        Only called with ``capabilities.descriptor``.
        """
