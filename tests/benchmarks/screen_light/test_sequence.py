"""The colours of the simulated screen light are soft enough to be shown."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.screen_light.sequence import LUMINANCE, PALETTE, STEP_SECONDS, LightSequence

TIMES = np.arange(0, 8, 0.01)


def test_no_change_is_a_flash() -> None:
    """WCAG 2.3.1: luminance changes by less than a tenth, and no colour is a saturated red."""
    shown = np.concatenate(
        [LightSequence(np.random.default_rng(n), 9).at(TIMES) for n in range(20)]
    )
    luminance = shown @ LUMINANCE
    assert np.ptp(luminance) < 0.1
    assert (shown[:, 0] / shown.sum(axis=1)).max() < 0.8
    assert 1 / STEP_SECONDS < 3


def test_each_colour_differs_from_the_previous_one() -> None:
    """A sequence without a change would show nothing."""
    shown = LightSequence(np.random.default_rng(1), 9).at(np.arange(12) * STEP_SECONDS + 0.5)
    assert (np.abs(np.diff(shown, axis=0)).max(axis=1) > 0.1).all()
    assert {tuple(colour) for colour in shown.round(6)} <= {tuple(c) for c in PALETTE.round(6)}


def test_the_last_colour_stays() -> None:
    """Late frames still have a defined colour, and so do those before the start."""
    sequence = LightSequence(np.random.default_rng(1), 4)
    early, late, later = sequence.at(np.array([-1.0, 100.0, 200.0]))
    assert late == pytest.approx(later)
    assert early == pytest.approx(sequence.at(np.array([0.0]))[0])
