"""A stand-in for FaceEngine, which is not available here; it has only the public interface.

It exists in three historic shapes. The answer to each call is computed from its pixels (the mean of
a channel) or fixed, so that a test sees whether the right data reached the right call. Like the
vendor's module it returns wrong values rather than raising if a result is not checked.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

SHAPES = ("3", "5.0", "today")
BOX = (100, 60, 220, 240)


class State(Enum):
    Closed = 0
    Open = 1
    Occluded = 2


class GlassesEstimation(Enum):
    NoGlasses = 0
    EyeGlasses = 1
    SunGlasses = 2
    EstimationError = 3


def result(ok: bool, what: str = "") -> SimpleNamespace:
    """An error object: has attributes instead of methods, and is always truthy."""
    return SimpleNamespace(isOk=ok, isError=not ok, what=what)


OK = result(True)


def optional(value: Any) -> SimpleNamespace:
    return SimpleNamespace(isValid=lambda: value is not None, value=lambda: value)


class Image:
    """Stores its data unchecked, like the vendor's class."""

    def setData(self, array: Any, format: str) -> Any:
        assert format == "R8G8B8"
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
        self.pixels = array
        return OK

    def getRect(self) -> SimpleNamespace:
        height, width = self.pixels.shape[:2]
        return SimpleNamespace(x=0, y=0, width=width, height=height)


class Recipe(SimpleNamespace):
    """Results of the stand-in; a test changes them before the call."""


def recipe() -> Recipe:
    return Recipe(
        faces=1,
        yaw=12.0,
        pitch=-7.0,
        roll=3.0,
        left_eye=State.Open,
        right_eye=State.Occluded,
        glasses=GlassesEstimation.EyeGlasses,
        liveness=0.93,
        failing=(),
        raising=(),
        missing=(),
    )


def build(shape: str, answers: Recipe) -> ModuleType:
    """Create the module in one of its historic forms."""
    module = ModuleType("FaceEngine")
    old = shape == "3"

    def answer(name: str, value: Any) -> Any:
        if name in answers.raising:
            raise RuntimeError(f"{name} raised\n  in native code")
        if name in answers.failing:
            return result(False, f"{name} failed"), None
        return OK, value

    class Detection:
        def __init__(self, score: float) -> None:
            rect = SimpleNamespace(**dict(zip(("x", "y", "width", "height"), BOX, strict=True)))
            if old:
                self.rect, self.score = rect, score
            else:
                self.getRect = lambda: rect
                self.getScore = lambda: score

    class Detector:
        def detect(self, images: list[Image], rects: Any, most: int, kind: int) -> Any:
            assert len(images) == len(rects) == 1
            assert kind
            red = float(images[0].pixels[..., 0].mean()) / 255
            faces = [
                SimpleNamespace(detection=Detection(red), landmarks5_opt=optional(f"points {i}"))
                for i in range(min(most, answers.faces))
            ]
            if shape == "today":
                batch = SimpleNamespace(
                    getSize=lambda: 1,
                    getDetections=lambda _: [face.detection for face in faces],
                    getLandmarks5=lambda _: [face.landmarks5_opt.value() for face in faces],
                )
                return answer("detect", batch)
            return answer("detect", [faces])

    class Warper:
        def createTransformation(self, detection: Any, landmarks: Any) -> Any:
            assert isinstance(detection, Detection)
            return ("transformation", landmarks)

        def warp(self, what: Any, transformation: Any) -> Any:
            kind = "image" if isinstance(what, Image) else "landmarks"
            return answer("warp", f"warped {kind} of {transformation[1]}")

    def of_warp(warp: Any) -> None:
        assert warp == "warped image of points 0"

    class Quality:
        def estimate_subjective_quality(self, warp: Any) -> Any:
            of_warp(warp)
            seen = SimpleNamespace(
                blur=0.91, light=0.92, darkness=0.93, illumination=0.94, specularity=1.0000001
            )
            return answer("quality", seen)

    class BestShot:
        def estimate(self, image: Image, detection: Any, request: str) -> Any:
            assert request == "all"
            pose = SimpleNamespace(yaw=answers.yaw, pitch=answers.pitch, roll=answers.roll)
            seen = SimpleNamespace(ags_opt=optional(0.88), headpose_opt=optional(pose))
            return answer("best shot", seen)

    class Ags:
        def estimate(self, image: Image, detection: Any) -> Any:
            return answer("ags", 0.88)

    class HeadPose:
        def estimate(self, image: Image, detection: Any) -> Any:
            pose = SimpleNamespace(yaw=answers.yaw, pitch=answers.pitch, roll=answers.roll)
            return answer("pose", pose)

    class Mouth:
        def __init__(self) -> None:
            name = "estimate" if old else "estimate_extended"
            setattr(self, name, self._estimate)

        def _estimate(self, warp: Any) -> Any:
            of_warp(warp)
            return answer("mouth", SimpleNamespace(opened=0.1, smile=0.2, occluded=0.3))

    class Eyes:
        def estimate(self, warp: Any, rects: Any) -> Any:
            of_warp(warp)
            assert rects == "eyes of warped landmarks of points 0"
            seen = SimpleNamespace(
                leftEye=SimpleNamespace(state=answers.left_eye),
                rightEye=SimpleNamespace(state=answers.right_eye),
            )
            return answer("eyes", seen)

    class Glasses:
        def estimate(self, warp: Any) -> Any:
            of_warp(warp)
            return answer("glasses", answers.glasses)

    class Liveness:
        def estimate(self, image: Image, detection: Any, points: Any, threshold: float) -> Any:
            assert threshold == -1.0
            assert points == "points 0"
            seen = SimpleNamespace(score=answers.liveness, qualityScore=1.0, State="Alive")
            return answer("liveness", seen)

    creators: dict[str, Any] = {
        "createDetector": Detector,
        "createWarper": Warper,
        "createQualityEstimator": Quality,
        "createMouthEstimator": Mouth,
        "createEyeEstimator": Eyes,
        "createGlassesEstimator": Glasses,
        "createLivenessOneShotRGBEstimator": Liveness,
    }
    if old:
        creators |= {"createAGSEstimator": Ags, "createHeadPoseEstimator": HeadPose}
    else:
        creators |= {"createBestShotQualityEstimator": BestShot}
    if shape == "today":
        creators["createSubjectiveQualityEstimator"] = creators.pop("createQualityEstimator")

    class FaceEngine:
        def getLicense(self) -> str:
            return "licence"

        def activateLicense(self, licence: str, path: str) -> Any:
            good = Path(path).read_text() == "valid"
            return good if old else result(good, "licence expired")

    def creator(name: str, kind: Any) -> Any:
        def create(self: Any, *arguments: Any, **options: Any) -> Any:
            if name in answers.missing:
                raise RuntimeError(f"no model for {name}")
            if name == "createWarper" and options:
                raise TypeError("incompatible function arguments.\n  1. (self: PyIFaceEngine)")
            assert bool(options) == (shape == "today" and name != "createWarper")
            assert bool(arguments) == (name == "createDetector")
            return kind()

        return create

    for name, kind in creators.items():
        setattr(FaceEngine, name, creator(name, kind))

    def create_face_engine(dataPath: str) -> FaceEngine:
        if not any(Path(dataPath).iterdir()):
            raise RuntimeError("data is empty")
        return FaceEngine()

    module.__dict__.update(
        createFaceEngine=create_face_engine,
        Image=Image,
        FormatType=SimpleNamespace(R8G8B8="R8G8B8"),
        FACE_DET_V3=3,
        DetectionType=int,
        State=State,
        GlassesEstimation=GlassesEstimation,
        BestShotQualityRequest=SimpleNamespace(estimateAll="all"),
        EyeCropper=lambda: SimpleNamespace(
            cropByLandmarks5=lambda warp, landmarks: f"eyes of {landmarks}"
        ),
    )
    if old:
        module.__dict__.update(dt5Landmarks=2)
    else:
        module.__dict__.update(DT_BBOX=1, DT_LANDMARKS5=2)
    if shape == "today":
        module.__dict__.update(LaunchOptions=SimpleNamespace)
    return module
