"""A detected face and what the stages learn about it on the way."""

from __future__ import annotations

from dataclasses import dataclass

from inference_pool.onnx.geometry import Points
from shared.frame.estimation import Box


@dataclass(slots=True)
class DetectedFace:
    """A face with its key points, and its mesh once a stage has asked for it.

    Attributes:
        box: box in frame pixels.
        score: confidence, 0..1.
        points: key points in frame pixels, eyes and nose tip first; of each pair the one to the
            picture's left of an upright face (the person's own right) first. Which follow is the
            detector's matter. Fitting the mesh replaces points that contradict it.
        mesh: (468, 3) points of the face mesh in frame pixels.
    """

    box: Box
    score: float
    points: Points
    mesh: Points | None = None
