"""Face descriptors: whether two estimates show one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.estimation import Estimate

Descriptor = NDArray[np.float32]
"""Numbers of unit length; the dot product of two is their cosine similarity, -1..1."""


def descriptor_of(estimate: Estimate) -> Descriptor | None:
    """Return the face descriptor of an estimate; None where it has none that can be compared."""
    if not estimate.descriptor or len(estimate.descriptor) % 4:
        return None
    face = np.frombuffer(estimate.descriptor, np.float32)
    return face if np.isfinite(face).all() else None  # NaN is below no threshold
