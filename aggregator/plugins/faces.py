"""Face descriptors, and whether a face is straight enough to compare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Estimate, HeadPose

Descriptor = NDArray[np.float32]
"""Vector of unit length; the dot product of two is their cosine similarity, -1..1."""

STRAIGHT_DEG = 20.0
"""Yaw and pitch up to which a face is as similar to the same person's as a straight one
(measured in docs/plugins.md)."""


def is_straight(pose: HeadPose) -> bool:
    """Return whether yaw and pitch are small enough to compare the face as a straight one."""
    return abs(pose.yaw) <= STRAIGHT_DEG and abs(pose.pitch) <= STRAIGHT_DEG


def descriptor_of(estimate: Estimate) -> Descriptor | None:
    """Return the face descriptor of an estimate; None if it is missing or not comparable."""
    if not estimate.descriptor or len(estimate.descriptor) % 4:
        return None
    face = np.frombuffer(estimate.descriptor, np.float32)
    return face if np.isfinite(face).all() else None  # NaN would pass: it is below no threshold
