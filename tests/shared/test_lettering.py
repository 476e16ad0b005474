"""Letters have a dark outline, so they are legible on any background."""

from __future__ import annotations

import numpy as np
import pytest

from shared.lettering import write


@pytest.mark.parametrize("unit", [1, 2])
def test_the_outline_fits_the_letters(unit: int) -> None:
    """On each side of the letters are only a few dark pixels."""
    image = np.full((120, 900, 3), 128, np.uint8)
    write(image, "3 The picture is blurred", (20, 80), unit, (0, 0, 255))
    letters = np.nonzero(image[:, :, 2] > 200)
    touched = np.nonzero((image != 128).any(axis=2))
    for inner, outer in zip(letters, touched, strict=True):
        assert 0 < inner.min() - outer.min() <= 3 * unit
        assert 0 < outer.max() - inner.max() <= 3 * unit
