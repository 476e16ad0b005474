"""Suitability of a frame for face comparison, computed from the measures of the earlier stages.

A product of factors, each 1 for an ideal frame. It replaces a network trained for this purpose
until an open one exists. A frontal, sharp, evenly lit portrait scores at least 0.85.
"""

from inference_pool.onnx.geometry import ramp
from shared.errors import EstimationError
from shared.frame.estimation import Box, Estimate, Eyes, HeadPose, Mouth, Quality

USELESS_ANGLE = 45.0
"""Degrees between head and camera at which the factor is 0."""
SMALL, LARGE = 32.0, 112.0
"""Face size in pixels at which the factor is 0 and 1; 112 is the input size of face descriptors."""

UNCOVERED = 0.4
"""Occlusion up to which the factor is 1: LUNA PASS's threshold of the mouth check. Uncovered
mouths with narrow lips, or on dark skin, have up to .39; with a bound of 0, 6 of 40 men of the
generated portraits were refused."""


def suitability(so_far: Estimate) -> float:
    """Return the suitability, 0..1, from the measures of all stages up to the mouth.

    Raises:
        EstimationError: a measure is missing.
    """
    face, quality, pose = so_far.face, so_far.quality, so_far.head_pose
    eyes, mouth = so_far.eyes, so_far.mouth
    if not (face and quality and pose and eyes and mouth):
        raise EstimationError("an earlier measure is missing")
    return _size(face) * _clarity(quality) * _frontal(pose) * _open(eyes) * _neutral(mouth)


def _size(face: Box) -> float:
    return ramp(min(face.width, face.height), SMALL, LARGE)


def _clarity(quality: Quality) -> float:
    """Factor for sharpness and exposure; values in the upper half of the range cost nothing."""
    return ramp(quality.blur, 0.2, 0.65) * ramp(min(quality.light, quality.darkness), 0.1, 0.55)


def _frontal(pose: HeadPose) -> float:
    """Decreases with the squared angle; alignment corrects roll, so it counts a quarter."""
    squares = pose.yaw**2 + pose.pitch**2 + (pose.roll / 2) ** 2
    return max(0.0, 1.0 - squares / USELESS_ANGLE**2)


def _open(eyes: Eyes) -> float:
    return 1.0 - 0.15 * ((not eyes.left_open) + (not eyes.right_open))


def _neutral(mouth: Mouth) -> float:
    covered = ramp(mouth.occluded, UNCOVERED, 1.0)
    return 1.0 - max(0.3 * mouth.opened, 0.2 * mouth.smile, covered)
