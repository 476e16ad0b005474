"""The LUNA SDK backend: takes the measures with FaceEngine's estimators."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from inference_pool.lunasdk.detection import Detector, SdkFace
from inference_pool.lunasdk.engine import Engine, one_line, optional_value, value_of
from shared.config.luna_pass import FaceEngineSection
from shared.config.service import Config
from shared.digests import short_digest
from shared.errors import EstimationError, StartupError
from shared.frame.estimation import (
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
    Quality,
)
from shared.process.outage import Outage

OPEN_EYE = 0.3
SHUT_EYE = 0.0
"""Openness reported for an eye's state, because FaceEngine returns only the state; see
``shared.frame.estimation``."""


MEASURES = ("detect", "quality", "head_pose", "eyes", "mouth", "glasses", "ags", "liveness")
_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")
log = logging.getLogger(__name__)


def measure(
    method: Callable[Concatenate[LunaSdkBackend, _Arguments], _Result],
) -> Callable[Concatenate[LunaSdkBackend, _Arguments], _Result]:
    """Turn any exception of the SDK into ``EstimationError``, and log the first of several."""

    @wraps(method)
    def call(
        self: LunaSdkBackend, /, *arguments: _Arguments.args, **options: _Arguments.kwargs
    ) -> _Result:
        try:
            result = method(self, *arguments, **options)
        except EstimationError:
            raise
        except Exception as error:
            self.report(method.__name__, error)
            raise EstimationError(f"FaceEngine, {method.__name__}: {one_line(error)}") from error
        self.report(method.__name__, None)
        return result

    return call


class LunaSdkBackend:
    """Implements ``shared.frame.estimation.Backend`` with FaceEngine.

    Raises:
        StartupError: the SDK cannot be opened, or lacks a model or a licence feature.
    """

    def __init__(self, settings: FaceEngineSection) -> None:
        engine = Engine(settings)
        self._module = engine.module
        self._settings = settings
        self._detector = Detector(engine)
        self._quality = engine.create("createSubjectiveQualityEstimator", "createQualityEstimator")
        self._best_shot: Any = None
        if engine.has("createBestShotQualityEstimator"):
            self._best_shot = engine.create("createBestShotQualityEstimator")
        else:
            self._ags = engine.create("createAGSEstimator")
            self._pose = engine.create("createHeadPoseEstimator")
        self._mouth = engine.create("createMouthEstimator")
        self._eyes = engine.create("createEyeEstimator")
        self._glasses = engine.create("createGlassesEstimator")
        self._liveness = engine.create("createLivenessOneShotRGBEstimator")
        self._outages = {
            name: Outage(log, f"FaceEngine raised an error in {name}", f"{name} works again")
            for name in MEASURES
        }
        signs = (settings.yawSign, settings.pitchSign, settings.rollSign)
        self.capabilities = Capabilities(
            passive_liveness=True,
            descriptor=False,
            name="LUNA SDK",
            models=short_digest(["lunasdk", engine.identity, signs]),
        )

    @classmethod
    def from_config(cls, config: Config) -> LunaSdkBackend:
        """Open the configured SDK.

        Raises:
            StartupError: it cannot be opened.
        """
        try:
            return cls(config.FACEENGINE)
        except StartupError:
            raise
        except Exception as error:  # such as a name that these bindings lack
            raise StartupError(
                f"[FACEENGINE] these bindings cannot be used: {one_line(error)}"
            ) from error

    @measure
    def detect(self, image: Image) -> list[Face]:
        """Find all faces of an image."""
        return list(self._detector.detect(image))

    @measure
    def quality(self, image: Image, face: Face) -> Quality:
        """Measure sharpness and light on the warped face."""
        seen = value_of(self._quality.estimate_subjective_quality(self._warp(face)))
        return Quality(
            _unit(seen.blur),
            _unit(seen.light),
            _unit(seen.darkness),
            _unit(seen.illumination),
            _unit(seen.specularity),
        )

    @measure
    def head_pose(self, image: Image, face: Face) -> HeadPose:
        """Measure the rotation; its signs are settings, as the vendor does not document them."""
        own = _sdk_face(face)
        if self._best_shot is not None:
            seen = optional_value(self._best_shot_of(own), "headpose_opt")
        else:
            seen = value_of(self._pose.estimate(own.image, own.detection))
        signs = self._settings
        return HeadPose(
            yaw=signs.yawSign * _finite(seen.yaw),
            pitch=signs.pitchSign * _finite(seen.pitch),
            roll=signs.rollSign * _finite(seen.roll),
        )

    @measure
    def eyes(self, image: Image, face: Face, *, careful: bool) -> Eyes:
        """Classify each eye; an occluded eye counts as not open."""
        warp, landmarks = self._detector.warp(_sdk_face(face))
        rects = self._module.EyeCropper().cropByLandmarks5(warp, landmarks)
        seen = value_of(self._eyes.estimate(warp, rects))
        opened = self._module.State.Open
        left, right = seen.leftEye.state == opened, seen.rightEye.state == opened
        return Eyes(
            left=OPEN_EYE if left else SHUT_EYE,
            right=OPEN_EYE if right else SHUT_EYE,
            left_open=left,
            right_open=right,
        )

    def eye_centres(self, image: Image, face: Face) -> EyeCentres:
        """Not supported: raises ``EstimationError``, so LifeSigns has no sign of the eyes."""
        raise EstimationError("this backend does not locate the eyes")

    @measure
    def mouth(self, image: Image, face: Face) -> Mouth:
        """Measure the mouth."""
        estimate = getattr(self._mouth, "estimate_extended", None) or self._mouth.estimate
        seen = value_of(estimate(self._warp(face)))
        return Mouth(_unit(seen.opened), _unit(seen.smile), _unit(seen.occluded))

    @measure
    def glasses(self, image: Image, face: Face) -> Glasses:
        """Classify the glasses.

        Raises:
            EstimationError: the SDK returned another class.
        """
        kinds = self._module.GlassesEstimation
        known: dict[Any, Glasses] = {
            kinds.NoGlasses: "no_glasses",
            kinds.EyeGlasses: "eyeglasses",
            kinds.SunGlasses: "sunglasses",
        }
        answer = self._glasses.estimate(self._warp(face))
        seen = known.get(value_of(answer) if isinstance(answer, tuple) else answer)
        if seen is None:
            raise EstimationError("the SDK did not recognise the kind of glasses")
        return seen

    @measure
    def ags(self, image: Image, face: Face, so_far: Estimate) -> float:
        """Measure suitability for face comparison."""
        own = _sdk_face(face)
        if self._best_shot is not None:
            return _unit(optional_value(self._best_shot_of(own), "ags_opt"))
        return _unit(value_of(self._ags.estimate(own.image, own.detection)))

    @measure
    def liveness(self, image: Image, face: Face) -> Liveness:
        """Measure passive liveness."""
        own = _sdk_face(face)
        seen = value_of(self._liveness.estimate(own.image, own.detection, own.landmarks, -1.0))
        return Liveness(_unit(seen.score), _unit(seen.qualityScore))

    def descriptor(self, image: Image, face: Face) -> bytes:
        """Not supported: raises ``EstimationError``."""
        raise EstimationError("this backend has no face descriptors")

    def report(self, name: str, error: Exception | None) -> None:
        """Log the start and the end of a series of exceptions in one measure."""
        if error is None:
            self._outages[name].worked()
        else:
            self._outages[name].failed(one_line(error))

    def _warp(self, face: Face) -> Any:
        return self._detector.warp(_sdk_face(face))[0]

    def _best_shot_of(self, face: SdkFace) -> Any:
        if face.best_shot is None:
            request = self._module.BestShotQualityRequest.estimateAll
            estimate = self._best_shot.estimate(face.image, face.detection, request)
            face.best_shot = value_of(estimate)
        return face.best_shot


def _sdk_face(face: Face) -> SdkFace:
    """Narrow a face to the type that ``LunaSdkBackend.detect`` returns."""
    return cast(SdkFace, face)


def _finite(value: Any) -> float:
    """Convert a number of the SDK; refuse NaN, which could pass a comparison."""
    number = float(value)
    if not math.isfinite(number):
        raise EstimationError("the SDK returned NaN or infinity")
    return number


def _unit(value: Any) -> float:
    """Convert a score of the SDK and clip rounding errors outside 0..1."""
    return min(max(_finite(value), 0.0), 1.0)
