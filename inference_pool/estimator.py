"""Runs the stages of the estimation in order and stops at the first that fails."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from inference_pool.digest import pixel_digest
from inference_pool.eyelids import eyelids_of
from inference_pool.scene import scene_of
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
_QUICK = tuple(stage for stage in Stage if stage <= Stage.HEAD_POSE)
"""Stages of a quick look. The later ones depend too much on an exact face box."""


@dataclass(slots=True)
class _Frame:
    """One frame and its estimate so far."""

    image: Image
    estimate: Estimate
    mirrored: bool
    chosen: Face | None = None

    @property
    def face(self) -> Face:
        """The judged face.

        Raises:
            EstimationError: no face was found; only possible in an exhaustive run.
        """
        if self.chosen is None:
            raise EstimationError("there is no face to measure")
        return self.chosen


class Estimator:
    """Measures and judges frames, stage by stage.

    Each measure is taken once, in the order of ``Stage``. The first stage with a failed check ends
    the estimation, so later, more expensive stages do not run. If the backend raises
    ``EstimationError``, the stage fails with its own code.

    A quick look refuses some frames with less effort: those of one face that surely fail a check
    before the eyes. Every other frame is estimated as if there had been no quick look. It needs
    ``multifacePolicy`` 0, because it may miss the face that another policy would judge.

    Args:
        describe: add the face descriptor to frames that passed every stage.
        describe_refused: add it also to frames that failed only at the liveness stage.
        signs: add the eyelids to frames that passed or failed only at the liveness stage.
        scene: add the scene to these frames.
        exhaustive: for diagnosis, continue after a failed stage and measure what can be measured;
            ``errors`` and ``stage`` still show the first failure.

    Attributes:
        face: the judged face of the last frame, with what the backend attached to it.
    """

    def __init__(
        self,
        backend: Backend,
        rules: Rules,
        *,
        describe: bool = False,
        describe_refused: bool = False,
        signs: bool = False,
        scene: bool = False,
        exhaustive: bool = False,
        clock: Clock = SYSTEM,
    ) -> None:
        self._monotonic = clock.monotonic
        self._backend = backend
        self._rules = rules
        self._describe = describe and backend.capabilities.descriptor
        self._describe_refused = describe_refused and backend.capabilities.descriptor
        self._signs = signs
        self._scene = scene
        self._exhaustive = exhaustive
        self._lenient = rules.lenient()
        self._looks_quickly = (
            backend.capabilities.quick_look
            and rules.thresholds.multifacePolicy == 0
            and not exhaustive
        )
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

    def estimate(
        self, image: Image, profile: Profile, *, mirrored: bool = False, quick: bool = False
    ) -> Estimate:
        """Measure and judge one frame, (height, width, 3) BGR, up to the first failed stage.

        In a ``mirrored`` image, as from a selfie camera, the right side is the person's own right.
        Angles and eyes are always reported from the person's own view; the face box and the margins
        are in pixels of the image.

        ``quick`` tries a quick look first, which pays if the frame will probably be refused.
        """
        frame = self._frame(image, profile, mirrored)
        if quick and self._looks_quickly and profile is Profile.PASSIVE:
            start = self._monotonic()
            if self._refuses_quickly(frame):
                return self._result(frame)
            frame = self._frame(image, profile, mirrored)  # nothing of the quick look remains
            self._record_time(frame.estimate, "quick_look", start)
        self._look(frame)
        return self._result(frame)

    def _frame(self, image: Image, profile: Profile, mirrored: bool) -> _Frame:
        height, width = image.shape[:2]
        estimate = Estimate(
            width=width,
            height=height,
            profile=profile,
            rules=self._rules.digest,
            models=self._models,
            needs_actions=self._backend.capabilities.needs_actions,
        )
        return _Frame(image, estimate, mirrored)

    def _refuses_quickly(self, frame: _Frame) -> bool:
        """Take a quick look; return whether it refuses the frame, which needs no full look then."""
        estimate = frame.estimate
        for stage in _QUICK:
            step = self._faces_quickly if stage is Stage.FACES else self._steps[stage]
            errors = self._run(stage, step, frame)
            if errors or (stage is Stage.FACES and estimate.faces != 1):
                break
        estimate.stage, estimate.errors = stage, errors
        surely = judge(stage, estimate, self._lenient)
        failed = FAILURE.get(stage, Code.ESTIMATION_FAILED) in errors
        estimate.quick = estimate.refused_early and bool(surely) and not failed
        return estimate.quick

    def _look(self, frame: _Frame) -> None:
        """Take a full look."""
        estimate, profile = frame.estimate, frame.estimate.profile
        for stage in self._stages[profile]:
            errors = self._run(stage, self._steps[stage], frame)
            if estimate.ok:
                estimate.stage, estimate.errors = stage, errors
            if errors and not self._exhaustive:
                break
        if estimate.ok or estimate.reached_liveness:
            estimate.pixels = pixel_digest(frame.image)
        measured = _liveness_measured(estimate)
        if self._describe if estimate.ok else self._describe_refused and measured:
            self._descriptor(frame)
        if profile is Profile.PASSIVE and (estimate.ok or measured):
            self._life_signs(frame)

    def _result(self, frame: _Frame) -> Estimate:
        self.face = frame.chosen
        return frame.estimate

    def _run(self, stage: Stage, step: Step, frame: _Frame) -> tuple[int, ...]:
        """Measure and judge one stage; return the codes of its failed checks."""
        start = self._monotonic()
        try:
            step(frame)
        except EstimationError:
            return (FAILURE.get(stage, Code.ESTIMATION_FAILED),)
        finally:
            self._record_time(frame.estimate, _NAMES[stage], start)
        return judge(stage, frame.estimate, self._rules)

    def _faces(self, frame: _Frame) -> None:
        self._take(self._backend.detect(frame.image), frame)

    def _faces_quickly(self, frame: _Frame) -> None:
        self._take(self._backend.look_quickly(frame.image), frame)

    def _take(self, faces: list[Face], frame: _Frame) -> None:
        frame.estimate.faces = len(faces)
        if faces:
            frame.chosen = self._choose(faces, frame.estimate)
            frame.estimate.face = frame.chosen.box

    def _choose(self, faces: list[Face], estimate: Estimate) -> Face:
        """Choose a face by ``multifacePolicy``: with 2 the most central, else the largest."""
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
        measured = self._backend.liveness(frame.image, frame.face)
        if not isfinite(measured.score):  # no comparison refuses NaN, and no message can hold it
            raise EstimationError("the liveness score is not a finite number")
        frame.estimate.liveness = measured

    def _descriptor(self, frame: _Frame) -> None:
        """Add the descriptor; fail a frame for which it cannot be computed."""
        estimate = frame.estimate
        start = self._monotonic()
        try:
            estimate.descriptor = self._backend.descriptor(frame.image, frame.face)
        except EstimationError:
            estimate.errors = estimate.errors or (Code.ESTIMATION_FAILED,)
        finally:
            self._record_time(estimate, "descriptor", start)

    def _life_signs(self, frame: _Frame) -> None:
        """Add what LifeSigns compares; eyes that are not found leave their sign unknown."""
        if self._scene:
            frame.estimate.scene = scene_of(frame.image)
        if not self._signs:
            return
        start = self._monotonic()
        try:
            centres = self._backend.eye_centres(frame.image, frame.face)
            frame.estimate.eyelids = eyelids_of(frame.image, centres)
        except EstimationError:
            frame.estimate.eyelids = None
        finally:
            self._record_time(frame.estimate, "life_signs", start)

    def _record_time(self, estimate: Estimate, step: str, start: float) -> None:
        """Record the milliseconds since a step's monotonic start time."""
        estimate.timings[step] = (self._monotonic() - start) * 1000.0


def _liveness_measured(estimate: Estimate) -> bool:
    """Return whether liveness was measured, so that a failed frame failed there."""
    return estimate.stage is Stage.LIVENESS and estimate.liveness is not None


def _models_of(backend: Backend) -> str:
    """Return the digest of the models, or of the backend's name if it reports none."""
    capabilities, kind = backend.capabilities, type(backend)
    own = [f"{kind.__module__}:{kind.__qualname__}", capabilities.name]
    return capabilities.models or short_digest(own)


def _distance_from_centre(box: Box, estimate: Estimate) -> float:
    """Squared distance in pixels between the centres of a box and the frame."""
    dx = box.x + (box.width - estimate.width) / 2
    dy = box.y + (box.height - estimate.height) / 2
    return dx * dx + dy * dy


def _swapped(eyes: Eyes) -> Eyes:
    return Eyes(
        left=eyes.right, right=eyes.left, left_open=eyes.right_open, right_open=eyes.left_open
    )
