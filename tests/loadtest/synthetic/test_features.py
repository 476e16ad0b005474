"""The lists of mesh points, checked against a fitted face."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from loadtest.synthetic.features import (
    CHIN,
    LEFT_EYE,
    LEFTMOST,
    LOWER_INNER_LIP,
    OVAL,
    RIGHT_EYE,
    RIGHTMOST,
    UPPER_INNER_LIP,
    EyeOutline,
)
from loadtest.synthetic.portrait import Portrait


@pytest.mark.parametrize("eye", [LEFT_EYE, RIGHT_EYE], ids=["left", "right"])
def test_eye_lines_lie_one_below_the_other(eye: EyeOutline, fitted: Portrait) -> None:
    """From the brow downwards: below the brow, crease, upper lid, lower lid."""
    lines = [eye.below_brow, eye.crease, eye.upper, eye.lower]
    heights = [fitted.mesh[list(line)[2:-2], 1] for line in lines]
    for above, below in pairwise(heights):
        assert (above < below).all()


@pytest.mark.parametrize("eye", [LEFT_EYE, RIGHT_EYE], ids=["left", "right"])
def test_eye_lines_run_to_the_right(eye: EyeOutline, fitted: Portrait) -> None:
    """The points of the lids go from the image's left to its right."""
    for line in (eye.upper, eye.lower):
        assert (np.diff(fitted.mesh[list(line), 0]) > 0).all()


def test_own_left_eye_is_on_the_right(fitted: Portrait) -> None:
    """Sides are the person's own."""
    left, right = (fitted.mesh[list(eye.upper), 0].mean() for eye in (LEFT_EYE, RIGHT_EYE))
    assert left > right


def test_lips_face_each_other(fitted: Portrait) -> None:
    """Points at equal positions in the two lists are above one another."""
    upper, lower = (fitted.mesh[list(lip)] for lip in (UPPER_INNER_LIP, LOWER_INNER_LIP))
    width = np.ptp(upper[:, 0])
    assert np.abs(upper[:, 0] - lower[:, 0]).max() < 0.1 * width
    assert (upper[1:-1, 1] <= lower[1:-1, 1]).all()


def test_the_oval_has_the_outermost_points(fitted: Portrait) -> None:
    """The outline has the extremes of the face."""
    assert {CHIN, LEFTMOST, RIGHTMOST} <= set(OVAL)
    assert len(set(OVAL)) == len(OVAL) == 36
    assert fitted.mesh[:, 1].argmax() in OVAL
