"""What one frame's estimation yields, and what a backend must be able to do.

Angles are in degrees and the person's own: yaw > 0 turned to the person's own left, pitch > 0 chin
up, roll > 0 head tilted to the person's own left shoulder. In a picture that is not mirrored the
person's left is the picture's right, so yaw > 0 looks to the picture's right and roll > 0 is a
clockwise turn in the picture. Roll goes all the way round, from -180 to 180: an upside-down face
has about 180. Backends answer in this convention whatever their model uses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, Protocol

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from shared.digests import SHORT

Image = NDArray[np.uint8]
"""Picture of shape (height, width, 3), BGR, 0..255."""

LARGEST = sys.float_info.max
# A bound refuses NaN too, which compares with nothing.
Finite = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
Pixels = Annotated[int, Meta(ge=-100_000, le=100_000)]
ShortDigest = Annotated[str, Meta(max_length=SHORT)]
Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""


class Stage(IntEnum):
    """Stages of the estimation in the order they run; cheap ones first."""

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
    """Rectangle in pixels of the frame; it may reach beyond the frame's borders."""

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
    """Measures of the face area, each 0..1, high is good."""

    blur: Unit
    light: Unit
    darkness: Unit
    illumination: Unit
    specularity: Unit


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Head rotation in degrees, in the convention of this module."""

    yaw: Finite
    pitch: Finite
    roll: Finite


@dataclass(frozen=True, slots=True)
class Eyes:
    """Eye openness (lid distance over eye width, about .3 open, under .1 shut) and judgement.

    Attributes:
        left: openness of the person's own left eye.
        right: openness of the person's own right eye.
        left_open: whether the left eye counts as open.
        right_open: whether the right eye counts as open.
    """

    left: Finite
    right: Finite
    left_open: bool
    right_open: bool


@dataclass(frozen=True, slots=True)
class Mouth:
    """Scores 0..1 of an opened, smiling and occluded mouth; low is good."""

    opened: Unit
    smile: Unit
    occluded: Unit


Glasses = Literal["no_glasses", "eyeglasses", "sunglasses"]


@dataclass(frozen=True, slots=True)
class Liveness:
    """Score of a live face and fitness of the frame for judging it, each 0..1, high is good.

    Attributes:
        score: score of a live face.
        quality_score: fitness of the frame for that judgement.
        moire: height of the highest peak in the face's spectrum, low is good; 0 where it is not
            measured.
    """

    score: Unit
    quality_score: Unit
    moire: Annotated[float, Meta(ge=0.0, le=LARGEST)] = 0.0


@dataclass(slots=True)
class Estimate:
    """Everything measured on one frame; what was not reached is None.

    Attributes:
        width: frame width in pixels.
        height: frame height in pixels.
        profile: profile under which the frame was judged.
        stage: last stage that ran.
        errors: codes of the failed checks of that stage; empty when all stages passed.
        faces: number of faces found.
        face: box of the judged face.
        quality: classical measures on the face area.
        head_pose: rotation of the head.
        eyes: eye openness.
        mouth: mouth scores.
        glasses: kind of glasses.
        ags: fitness for face comparison, 0..1.
        liveness: passive liveness; None also where the backend has no model for it.
        descriptor: face descriptor for comparing persons, float32 bytes of unit length.
        timings: milliseconds spent per step.
        rules: digest of the thresholds and limits that judged the frame; empty where none did.
        models: digest of the models that measured it; empty where none did.
        rotation: degrees by which the picture was turned clockwise beyond what EXIF says.
        pixels: digest of the frame's pixels; None where a check before liveness failed, so that
            the many frames that fail cost no more.
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

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.errors

    @property
    def reached_liveness(self) -> bool:
        """Whether the frame came as far as the liveness estimation."""
        return self.stage is Stage.LIVENESS


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can estimate with the models it has.

    Attributes:
        passive_liveness: a liveness model is loaded.
        descriptor: a face descriptor model is loaded.
        name: backend and model set in words, for logs and the status page.
        models: digest of the models, for the token's claim ``policy``; empty where the backend
            cannot give one, and its class and ``name`` stand for them.
    """

    passive_liveness: bool
    descriptor: bool
    name: str
    models: ShortDigest = ""


class Face(Protocol):
    """One detected face; backends attach what their later stages need."""

    @property
    def box(self) -> Box:
        """Box of the face in frame pixels."""

    @property
    def score(self) -> float:
        """Confidence of the detection, 0..1."""


class Backend(Protocol):
    """Source of measures; one instance lives in each worker process.

    Every method may raise ``EstimationError``; the estimator turns that into the stage's code.
    ``face`` is always one that this instance's ``detect`` returned for the same image.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this instance can estimate."""

    def detect(self, image: Image) -> list[Face]:
        """Find all faces of an image."""

    def quality(self, image: Image, face: Face) -> Quality:
        """Measure sharpness and light on the face area."""

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        """Measure the rotation of the head."""

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        """Measure eye openness; ``careful`` asks for the best measure at any cost."""

    def mouth(self, image: Image, face: Face) -> Mouth:
        """Measure the mouth."""

    def glasses(self, image: Image, face: Face) -> Glasses:
        """Tell the kind of glasses."""

    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        """Measure fitness for face comparison, 0..1."""

    def liveness(self, image: Image, face: Face) -> Liveness:
        """Measure passive liveness; only called with ``capabilities.passive_liveness``."""

    def descriptor(self, image: Image, face: Face) -> bytes:
        """Describe the face; only called with ``capabilities.descriptor``."""
