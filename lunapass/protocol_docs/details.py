"""What is measured of a frame, as types: the details of a status and of the token."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.frame.estimation import Glasses

Count = Annotated[int, Meta(ge=0)]
GlassesOf1x = Literal[
    "GlassesEstimation.NoGlasses", "GlassesEstimation.EyeGlasses", "GlassesEstimation.SunGlasses"
]
Score = Annotated[float, Meta(ge=0, le=1)]


class Closed(Struct, forbid_unknown_fields=True, rename="camel"):
    """A part of the service's messages, which has exactly these fields."""


class Rectangle(Closed):
    """Pixels of the frame; a face may extend beyond its edges."""

    x: int
    y: int
    width: Count
    height: Count


class FaceFramePosition(Closed):
    """Position of the face; margins are left, top, right and bottom."""

    face_rect: Rectangle
    frame_rect: Rectangle
    margins: Annotated[list[int], Meta(min_length=4, max_length=4)]


class QualityDetails(Closed):
    """Quality of the face's image; high is good."""

    blur: Score
    is_blurred: bool
    light: Score
    is_highlighted: bool
    darkness: Score
    is_dark: bool
    illumination: Score
    is_illuminated: bool
    specularity: Score
    is_specular: bool


class HeadPoseDetails(Closed):
    """Degrees, positive to the person's own left, up, and to the person's own left shoulder."""

    yaw: float
    pitch: float
    roll: float


class EyesDetails(Closed):
    """Ratio of lid distance to eye width."""

    left: float
    right: float


class MouthDetails(Closed):
    """Scores; low is good."""

    opened: Score
    smile: Score
    occluded: Score


class LivenessDetails(Closed):
    """Scores; high is good."""

    score: Score
    quality_score: Score


class ActiveLivenessDetails(Closed, omit_defaults=True):
    """Number of the current action, from 1, and number of all actions.

    The times are absent after the last action.
    """

    action: Annotated[int, Meta(ge=1)]
    actions: Annotated[int, Meta(ge=1, le=5)]
    seconds: Annotated[float, Meta(gt=0, description="time for one action")] | None = None
    seconds_left: Annotated[float, Meta(ge=0, description="time left for it")] | None = None


class Details(Struct, rename="camel", omit_defaults=True):
    """What was measured until a stage failed; plugins may add keys."""

    face_frame_position: FaceFramePosition | None = None
    quality: QualityDetails | None = None
    head_pose: HeadPoseDetails | None = None
    eyes: EyesDetails | None = None
    mouth: MouthDetails | None = None
    eyeglasses: Literal[Glasses, GlassesOf1x] | None = None
    ags: Score | None = None
    liveness: LivenessDetails | None = None


class StatusDetails(Details):
    """The details of a status; in production only the first and the last key."""

    active_liveness: ActiveLivenessDetails | None = None
