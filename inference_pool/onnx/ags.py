"""Fitness of a frame for face comparison: a composite of what the stages before have measured.

The product of factors, each 1 where it does no harm. It stands in for a network trained for this
until an open one is to be had; a frontal, sharp, evenly lit portrait has .85 and more.
"""

from __future__ import annotations

from inference_pool.onnx.geometry import ramp
from shared.errors import EstimationError
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Mouth, Quality

USELESS_ANGLE = 45.0
"""Degrees between head and camera at which comparison fails."""
SMALL, LARGE = 32.0, 112.0
"""Face width in pixels at which the factor is 0 and 1; 112 is what face descriptors see."""


def fitness(so_far: Estimate) -> float:
    """Return the fitness, 0..1.

    Args:
        so_far: measures up to the mouth.

    Raises:
        EstimationError: one of them is missing.
    """
    face, quality, pose = so_far.face, so_far.quality, so_far.head_pose
    eyes, mouth = so_far.eyes, so_far.mouth
    if not (face and quality and pose and eyes and mouth):
        raise EstimationError("an earlier measure is missing")
    return _size(face) * _clarity(quality) * _frontal(pose) * _seen(eyes) * _neutral(mouth)


def _size(face: Box) -> float:
    return ramp(min(face.width, face.height), SMALL, LARGE)


def _clarity(quality: Quality) -> float:
    """Sharpness and the worse side of the exposure; half of the range costs nothing."""
    return ramp(quality.blur, 0.2, 0.65) * ramp(min(quality.light, quality.darkness), 0.1, 0.55)


def _frontal(pose: HeadPose) -> float:
    """Falls with the square of the angle; roll is undone by alignment and counts a quarter."""
    squares = pose.yaw**2 + pose.pitch**2 + (pose.roll / 2) ** 2
    return max(0.0, 1.0 - squares / USELESS_ANGLE**2)


def _seen(eyes: Eyes) -> float:
    return 1.0 - 0.15 * ((not eyes.left_open) + (not eyes.right_open))


def _neutral(mouth: Mouth) -> float:
    return 1.0 - max(0.3 * mouth.opened, 0.2 * mouth.smile, mouth.occluded)
