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


class CountedFace:
    """The face whose frames count together in a session.

    All faces without a descriptor count as one face: their backend makes none. Such a face never
    matches one with a descriptor, as may happen after a reload.

    Args:
        similarity: minimum cosine similarity with the counted face to be the same person.
    """

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._face: Descriptor | None = None

    def is_of(self, estimate: Estimate) -> bool:
        """Return whether an estimate is of the counted face."""
        return self._matches(descriptor_of(estimate))

    def changes_to(self, estimate: Estimate) -> bool:
        """Count an estimate's face from now on; return whether it is another one than before."""
        face = descriptor_of(estimate)
        if self._matches(face):
            return False
        self._face = face
        return True

    def _matches(self, face: Descriptor | None) -> bool:
        if face is None or self._face is None:
            return face is self._face
        return float(self._face @ face) >= self._similarity
