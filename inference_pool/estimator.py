"""The stages of the estimation in order, with an early exit at the first one that fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inference_pool.digest import pixel_digest
from shared.codes import Code
from shared.digests import short_digest
from shared.errors import EstimationError
from shared.frame.checks import FAILURE, Rules, judge
from shared.frame.estimation import (
    Backend,
    Box,
    Estimate,
    Eyes,
    Face,
    HeadPose,
    Image,
    Profile,
    Stage,
)
from shared.process.clock import SYSTEM, Clock

Step = Callable[["_Frame"], None]

_NAMES = {stage: stage.name.lower() for stage in Stage}


@dataclass(slots=True)
class _Frame:
    """One frame on its way through the stages."""

    image: Image
    estimate: Estimate
    mirrored: bool
    chosen: Face | None = None

    @property
    def face(self) -> Face:
        """The judged face.

        Raises:
            EstimationError: no face was found; only met by a run that does not stop there.
        """
        if self.chosen is None:
            raise EstimationError("there is no face to measure")
        return self.chosen


class Estimator:
    """Runs a backend's stages on one frame after another and judges each stage.

    Every measure is taken once, in the order of ``Stage``; a stage whose checks fail ends the
    frame, so that later and dearer stages do not run. A stage whose backend raises
    ``EstimationError`` fails with that stage's own code.

    Args:
        backend: source of the measures.
        rules: thresholds and limits to judge by.
        describe: add the face descriptor to frames on which every stage passed.
        describe_refused: add it also to frames that failed at the liveness stage alone.
        exhaustive: for diagnosis, go on after a failed stage and fill in what can be measured;
            ``errors`` and ``stage`` still tell where the frame failed first.
        clock: measures the stages.

    Attributes:
        face: the judged face of the last frame, with whatever the backend attached to it.
    """

    def __init__(
        self,
        backend: Backend,
        rules: Rules,
        *,
        describe: bool = False,
        describe_refused: bool = False,
        exhaustive: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._monotonic = clock.monotonic
        self._backend = backend
        self._rules = rules
        self._describe = describe and backend.capabilities.descriptor
        self._describe_refused = describe_refused and backend.capabilities.descriptor
        self._exhaustive = exhaustive
        self._models = _models_of(backend)
        self.face: Face | None = None
        self._steps: dict[Stage, Step] = {
            Stage.DECODE: lambda frame: None,
            Stage.FACES: self._faces,
            Stage.QUALITY: self._quality,
            Stage.POSITION: lambda frame: None,
            Stage.HEAD_POSE: self._head_pose,
            Stage.EYES: self._eyes,
            Stage.MOUTH: self._mouth,
            Stage.GLASSES: self._glasses,
            Stage.AGS: self._ags,
            Stage.LIVENESS: self._liveness,
        }
        last = Stage.LIVENESS if backend.capabilities.passive_liveness else Stage.AGS
        self._stages = {
            Profile.PASSIVE: tuple(stage for stage in Stage if stage <= last),
            Profile.ACTIVE: tuple(stage for stage in Stage if stage <= Stage.EYES),
        }

    def estimate(self, image: Image, profile: Profile, *, mirrored: bool = False) -> Estimate:
        """Measure and judge one frame.

        Args:
            image: the frame, (height, width, 3) BGR; it is only read.
            profile: which stages run and which of them are judged.
            mirrored: the picture shows the person as in a mirror (a selfie camera): its right
                side is the person's own right. Angles and eyes are told as the person's own
                either way; the face box and the margins stay in the pixels of the picture.

        Returns:
            The measures up to the first failing stage and the codes of what failed there.
        """
        height, width = image.shape[:2]
        estimate = Estimate(
            width=width,
            height=height,
            profile=profile,
            rules=self._rules.digest,
            models=self._models,
        )
        frame = _Frame(image, estimate, mirrored)
        for stage in self._stages[profile]:
            errors = self._run(stage, frame)
            if estimate.ok:
                estimate.stage, estimate.errors = stage, errors
            if errors and not self._exhaustive:
                break
        if estimate.ok or estimate.reached_liveness:
            estimate.pixels = pixel_digest(image)
        if self._describe if estimate.ok else self._describe_refused and _refused(estimate):
            self._descriptor(frame)
        self.face = frame.chosen
        return estimate

    def _run(self, stage: Stage, frame: _Frame) -> tuple[int, ...]:
        """Measure and judge one stage; answer the codes of what failed."""
        start = self._monotonic()
        try:
            self._steps[stage](frame)
        except EstimationError:
            return (FAILURE.get(stage, Code.ESTIMATION_FAILED),)
        finally:
            self._note(frame.estimate, _NAMES[stage], start)
        return judge(stage, frame.estimate, self._rules)

    def _faces(self, frame: _Frame) -> None:
        faces = self._backend.detect(frame.image)
        frame.estimate.faces = len(faces)
        if faces:
            frame.chosen = self._choose(faces, frame.estimate)
            frame.estimate.face = frame.chosen.box

    def _choose(self, faces: list[Face], estimate: Estimate) -> Face:
        """Take the face that ``multifacePolicy`` asks for; the largest under 0 and 1."""
        if self._rules.thresholds.multifacePolicy == 2:
            return min(faces, key=lambda face: _distance_from_centre(face.box, estimate))
        return max(faces, key=lambda face: face.box.area)

    def _quality(self, frame: _Frame) -> None:
        frame.estimate.quality = self._backend.quality(frame.image, frame.face)

    def _head_pose(self, frame: _Frame) -> None:
        seen = self._backend.head_pose(frame.image, frame.face)
        side = -1.0 if frame.mirrored else 1.0
        frame.estimate.head_pose = HeadPose(
            yaw=side * seen.yaw,
            pitch=seen.pitch + self._rules.limits.pitchOffsetDeg,
            roll=side * seen.roll,
        )

    def _eyes(self, frame: _Frame) -> None:
        careful = frame.estimate.profile is Profile.ACTIVE
        seen = self._backend.eyes(frame.image, frame.face, careful=careful)
        frame.estimate.eyes = _swapped(seen) if frame.mirrored else seen

    def _mouth(self, frame: _Frame) -> None:
        frame.estimate.mouth = self._backend.mouth(frame.image, frame.face)

    def _glasses(self, frame: _Frame) -> None:
        frame.estimate.glasses = self._backend.glasses(frame.image, frame.face)

    def _ags(self, frame: _Frame) -> None:
        frame.estimate.ags = self._backend.ags(frame.image, frame.face, frame.estimate)

    def _liveness(self, frame: _Frame) -> None:
        frame.estimate.liveness = self._backend.liveness(frame.image, frame.face)

    def _descriptor(self, frame: _Frame) -> None:
        """Add the descriptor; a frame that should have one and has none fails."""
        estimate = frame.estimate
        start = self._monotonic()
        try:
            estimate.descriptor = self._backend.descriptor(frame.image, frame.face)
        except EstimationError:
            estimate.errors = estimate.errors or (Code.ESTIMATION_FAILED,)
        finally:
            self._note(estimate, "descriptor", start)

    def _note(self, estimate: Estimate, step: str, start: float) -> None:
        """Note the milliseconds of a step that began at a monotonic time."""
        estimate.timings[step] = (self._monotonic() - start) * 1000.0


def _refused(estimate: Estimate) -> bool:
    """Whether liveness was measured and the frame failed there."""
    return estimate.stage is Stage.LIVENESS and estimate.liveness is not None


def _models_of(backend: Backend) -> str:
    """Name the models by their digest, or by the backend itself where it gives none."""
    capabilities, kind = backend.capabilities, type(backend)
    own = [f"{kind.__module__}:{kind.__qualname__}", capabilities.name]
    return capabilities.models or short_digest(own)


def _distance_from_centre(box: Box, estimate: Estimate) -> float:
    """Squared distance in pixels of a box's centre from the frame's."""
    dx = box.x + (box.width - estimate.width) / 2
    dy = box.y + (box.height - estimate.height) / 2
    return dx * dx + dy * dy


def _swapped(eyes: Eyes) -> Eyes:
    return Eyes(
        left=eyes.right, right=eyes.left, left_open=eyes.right_open, right_open=eyes.left_open
    )
