"""Face detection and warping with FaceEngine, for all known forms of its bindings."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from inference_pool.lunasdk.engine import Engine, optional_value, value_of
from shared.errors import EstimationError
from shared.frame.estimation import Box, Image

MAX_FACES = 10


@dataclass(slots=True)
class SdkFace:
    """A face and its FaceEngine objects; ``warp`` and ``best_shot`` are None until computed."""

    box: Box
    score: float
    image: Any
    detection: Any
    landmarks: Any
    warp: tuple[Any, Any] | None = None
    best_shot: Any = None


class Detector:
    """Finds faces and warps them.

    Raises:
        StartupError: the detector or the warper cannot be created.
    """

    def __init__(self, engine: Engine) -> None:
        module = engine.module
        self._module = module
        self._detector = engine.create("createDetector", kind=module.FACE_DET_V3)
        self._warper = engine.create("createWarper")
        points = getattr(module, "DT_LANDMARKS5", None)
        box = getattr(module, "DT_BBOX", 0)
        self._kind = module.DetectionType(box | (module.dt5Landmarks if points is None else points))

    def detect(self, image: Image) -> list[SdkFace]:
        """Find all faces of a frame, (height, width, 3) BGR."""
        copied = self._copied(image)
        found = value_of(self._detector.detect([copied], [copied.getRect()], MAX_FACES, self._kind))
        return [
            SdkFace(_box(detection), _score(detection), copied, detection, landmarks)
            for detection, landmarks in _pairs(found)
        ]

    def warp(self, face: SdkFace) -> tuple[Any, Any]:
        """Warp a face to the upright square that most estimators take; cached in the face."""
        if face.warp is None:
            transformation = self._warper.createTransformation(face.detection, face.landmarks)
            face.warp = (
                value_of(self._warper.warp(face.image, transformation)),
                value_of(self._warper.warp(face.landmarks, transformation)),
            )
        return face.warp

    def _copied(self, image: Image) -> Any:
        """Copy a frame into FaceEngine, which does not check that the array is contiguous RGB."""
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        copied = self._module.Image()
        error = copied.setData(rgb, self._module.FormatType.R8G8B8)
        if error is not None and not error.isOk:
            raise EstimationError(str(error.what))
        return copied


def _pairs(found: Any) -> list[tuple[Any, Any]]:
    """Detections and landmarks of one image: from a batch object, or a list in old bindings."""
    if hasattr(found, "getDetections"):
        return list(zip(found.getDetections(0), found.getLandmarks5(0), strict=True))
    return [(face.detection, optional_value(face, "landmarks5_opt")) for face in found[0]]


def _box(detection: Any) -> Box:
    rect = detection.getRect() if hasattr(detection, "getRect") else detection.rect
    return Box(round(rect.x), round(rect.y), round(rect.width), round(rect.height))


def _score(detection: Any) -> float:
    return float(detection.getScore() if hasattr(detection, "getScore") else detection.score)
