"""Face descriptors: only unit vectors can be compared."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.plugins.faces import descriptor_of
from tests.support.judge import live

FACE = np.full(128, 128**-0.5, np.float32)


@pytest.mark.parametrize("scale", [1.0, 0.995, 1.005])
def test_a_unit_vector_is_a_descriptor(scale: float) -> None:
    """Rounding makes no difference."""
    face = descriptor_of(live(descriptor=(FACE * np.float32(scale)).tobytes()))
    assert face is not None
    assert face.shape == (128,)


@pytest.mark.parametrize("scale", [0.0, 0.9, 1.1, 10.0, 3e38, np.inf, np.nan])
def test_a_vector_of_another_length_is_no_descriptor(scale: float) -> None:
    """The dot product of longer vectors could reach any similarity."""
    face = np.full(128, scale, np.float32) if scale > 1e30 else FACE * np.float32(scale)
    assert descriptor_of(live(descriptor=face.tobytes())) is None


@pytest.mark.parametrize("data", [None, b"", b"abc"])
def test_incomplete_bytes_are_no_descriptor(data: bytes | None) -> None:
    """They are missing or truncated."""
    assert descriptor_of(live(descriptor=data)) is None
