"""A backend with given measurements that records its calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from inference_pool.estimator import Estimator
from shared.errors import EstimationError
from shared.frame.checks import Rules
from shared.frame.estimation import (
    Box,
    Capabilities,
    Estimate,
    EyeCentres,
    Eyes,
    Face,
    Glasses,
    HeadPose,
    Image,
    Liveness,
    Mouth,
    Profile,
    Quality,
)


@dataclass
class FixedFace:
    box: Box
    score: float = 0.9


FRAME = np.zeros((480, 640, 3), np.uint8)
GOOD_FACE = FixedFace(Box(200, 100, 240, 300))


@dataclass
class RecordingBackend:
    """Returns good measurements unless a test changes them; ``calls`` names the called methods."""

    faces: list[FixedFace] = field(default_factory=lambda: [GOOD_FACE])
    glimpsed: list[FixedFace] | None = None
    quality_answer: Quality = field(default_factory=lambda: Quality(0.9, 0.9, 0.9, 0.9, 0.9))
    pose_answer: HeadPose = field(default_factory=lambda: HeadPose(0.0, 0.0, 0.0))
    eyes_answer: Eyes = field(default_factory=lambda: Eyes(0.3, 0.3, True, True))
    mouth_answer: Mouth = field(default_factory=lambda: Mouth(0.0, 0.0, 0.0))
    glasses_answer: Glasses = "no_glasses"
    ags_answer: float = 0.9
    liveness_answer: Liveness = field(default_factory=lambda: Liveness(0.9, 0.9))
    failing: str = ""
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(True, True, "fixed"))
    calls: list[str] = field(default_factory=list)
    judged: list[Face] = field(default_factory=list)
    careful: list[bool] = field(default_factory=list)

    def _note(self, name: str, face: Face | None = None) -> None:
        self.calls.append(name)
        if face is not None:
            self.judged.append(face)
        if name == self.failing:
            raise EstimationError(f"{name} fails as the test asks")

    def detect(self, image: Image) -> list[Face]:
        self._note("detect")
        return list(self.faces)

    def look_quickly(self, image: Image) -> list[Face]:
        self._note("look_quickly")
        return list(self.faces if self.glimpsed is None else self.glimpsed)

    def quality(self, image: Image, face: Face) -> Quality:
        self._note("quality", face)
        return self.quality_answer

    def head_pose(self, image: Image, face: Face) -> HeadPose:
        self._note("head_pose", face)
        return self.pose_answer

    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        self._note("eyes", face)
        self.careful.append(careful)
        return self.eyes_answer

    def eye_centres(self, image: Image, face: Face) -> EyeCentres:
        self._note("eye_centres", face)
        return (280.0, 200.0), (360.0, 200.0)

    def mouth(self, image: Image, face: Face) -> Mouth:
        self._note("mouth", face)
        return self.mouth_answer

    def glasses(self, image: Image, face: Face) -> Glasses:
        self._note("glasses", face)
        return self.glasses_answer

    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        self._note("ags", face)
        return self.ags_answer

    def liveness(self, image: Image, face: Face) -> Liveness:
        self._note("liveness", face)
        return self.liveness_answer

    def descriptor(self, image: Image, face: Face) -> bytes:
        self._note("descriptor", face)
        return b"\0" * 512


def estimated(
    backend: RecordingBackend,
    profile: Profile = Profile.PASSIVE,
    *,
    mirrored: bool = False,
    quick: bool = False,
    rules: Rules | None = None,
    **options: bool,
) -> Estimate:
    """Estimate a frame by an estimator with these options."""
    estimator = Estimator(backend, rules or Rules(), **options)
    return estimator.estimate(FRAME, profile, mirrored=mirrored, quick=quick)
