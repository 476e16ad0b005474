"""Faces: whether two estimates show one person, and whether a face is turned too far to say so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.frame.estimation import Estimate, HeadPose

Descriptor = NDArray[np.float32]
"""Numbers of unit length; the dot product of two is their cosine similarity, -1..1."""

STRAIGHT_DEG = 20.0
"""Yaw and pitch up to which a person's faces are as similar as straight ones (docs/plugins.md)."""


def is_straight(pose: HeadPose) -> bool:
    """Tell whether a face can be compared as in a full check."""
    return abs(pose.yaw) <= STRAIGHT_DEG and abs(pose.pitch) <= STRAIGHT_DEG


def descriptor_of(estimate: Estimate) -> Descriptor | None:
    """Return the face descriptor of an estimate; None where it has none that can be compared."""
    if not estimate.descriptor or len(estimate.descriptor) % 4:
        return None
    face = np.frombuffer(estimate.descriptor, np.float32)
    return face if np.isfinite(face).all() else None  # NaN is below no threshold
