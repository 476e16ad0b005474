"""Eyelid motion measures the lids alone, whatever else changes in the image."""

from __future__ import annotations

import numpy as np
import pytest

from aggregator.plugins.eyelids import eyelid_motion
from shared.config.life_signs import LifeSignsArgs
from shared.frame.eyelids import COLUMNS, ROWS
from tests.support.eyes import drawn_eyelids

LIMIT = LifeSignsArgs().eyesDeviation


@pytest.mark.parametrize("lowered", [0.02, 0.04, -0.02])
def test_the_motion_of_lowered_lids_is_measured(lowered: float) -> None:
    """The unit is the eye's width, the accuracy a factor of two; the sign is the direction."""
    motion = eyelid_motion(drawn_eyelids(), drawn_eyelids(lowered))
    assert 0.5 < motion / lowered < 2


def test_both_eyes_count_equally() -> None:
    """A lid that moves on one side only counts half."""
    both = eyelid_motion(drawn_eyelids(), drawn_eyelids(0.04))
    for wink in (drawn_eyelids(0.04, right=0.0), drawn_eyelids(0.0, right=0.04)):
        assert eyelid_motion(drawn_eyelids(), wink) == pytest.approx(both / 2, rel=0.02)


@pytest.mark.parametrize(("dx", "dy"), [(0.05, 0.0), (0.0, 0.02), (-0.02, 0.02)])
def test_a_moving_face_does_not_move_the_lids(dx: float, dy: float) -> None:
    """The face shifts by a quarter or half of a cell; grids of one photograph differ by less."""
    assert abs(eyelid_motion(drawn_eyelids(), drawn_eyelids(dx=dx, dy=dy))) < LIMIT


def test_light_does_not_move_the_lids() -> None:
    """Exposure, contrast and light from one side vary."""
    eyelids = np.frombuffer(drawn_eyelids(), np.uint8).reshape(ROWS, COLUMNS)
    lit = eyelids * 0.8 + 10 + np.linspace(-15, 15, COLUMNS)
    assert abs(eyelid_motion(eyelids.tobytes(), lit.round().astype(np.uint8).tobytes())) < LIMIT


def test_an_eye_without_contrast_does_not_move() -> None:
    """Noise of a covered or dark eye is no motion, and a uniform image has a solution."""
    chance = np.random.default_rng(3)
    noisy = [chance.integers(20, 23, ROWS * COLUMNS).astype(np.uint8).tobytes() for _ in "ab"]
    black = bytes(ROWS * COLUMNS)
    assert abs(eyelid_motion(*noisy)) < LIMIT
    assert eyelid_motion(black, black) == 0
