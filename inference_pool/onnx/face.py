"""A detected face and its mesh, which the stages share."""

from dataclasses import dataclass

from inference_pool.onnx.geometry import Points
from shared.frame.estimation import Box


@dataclass(slots=True)
class DetectedFace:
    """A face with its key points, and its mesh once that is fitted.

    Attributes:
        box: box in frame pixels.
        score: confidence, 0..1.
        points: key points in frame pixels: eyes, nose tip, then others that depend on the detector.
            Of each pair the person's own right one, on the image's left, is first. Fitting the mesh
            replaces key points that contradict it.
        hasty: a quick look found it: its mesh is fitted with less effort, too.
        mesh: (468, 3) points of the face mesh in frame pixels; None before it is fitted.
    """

    box: Box
    score: float
    points: Points
    hasty: bool = False
    mesh: Points | None = None
