"""Face descriptors, and whether a face is straight enough to compare."""

from math import hypot

import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Estimate, HeadPose

Descriptor = NDArray[np.float32]
"""Vector of unit length; the dot product of two is their cosine similarity, -1..1."""

STRAIGHT_DEG = 20.0
"""Yaw and pitch up to which a face is as similar to the same person's as a straight one
(measured in docs/plugin-measurements.md)."""


MAX_NORM_ERROR = 0.01
"""Of a descriptor's length, for rounding. The dot product of longer vectors is no cosine: it can
reach any threshold."""


def is_straight(pose: HeadPose) -> bool:
    """Return whether yaw and pitch are small enough to compare the face as a straight one."""
    return abs(pose.yaw) <= STRAIGHT_DEG and abs(pose.pitch) <= STRAIGHT_DEG


def descriptor_of(estimate: Estimate) -> Descriptor | None:
    """Return the face descriptor of an estimate; None if it is missing or not comparable."""
    if not estimate.descriptor or len(estimate.descriptor) % 4:
        return None
    face = np.frombuffer(estimate.descriptor, np.float32)
    norm = hypot(*face.tolist())  # NaN or infinite if an element is
    return face if abs(norm - 1) <= MAX_NORM_ERROR else None
