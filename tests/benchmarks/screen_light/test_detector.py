"""The detector of screen light, tested on computed colours with known results."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.screen_light.detector import Answer, Colours, answer
from benchmarks.screen_light.sequence import Array, LightSequence

FRAMES, FPS = 30, 5.0
TIMES = np.arange(FRAMES) / FPS
AMBIENT = 2.0
LEVELS = np.linspace(0.1, 0.8, 8)
NOISE = 0.003


def sequences(count: int, seed: int) -> list[LightSequence]:
    chance = np.random.default_rng(seed)
    return [LightSequence(chance, FRAMES / FPS + 1) for _ in range(count)]


def lit(
    sequence: LightSequence, chance: np.random.Generator, *, delay: float = 0.2, glass: bool = False
) -> Colours:
    """Compute the colours of a head in this light.

    ``glass`` adds a steady image behind a reflection.
    """
    screen = sequence.at(TIMES - delay)
    surface = AMBIENT + screen[:, None, :]
    reflected = LEVELS[:, None] * AMBIENT + 0.1 * screen[:, None, :]
    levels = reflected if glass else LEVELS[:, None] * surface
    noisy = levels * np.exp(chance.normal(0, NOISE, levels.shape))
    background = np.exp(chance.normal(0, NOISE, (FRAMES, 3)))
    return Colours(noisy[:, 4:].mean(axis=1), background, noisy)


def judged(colours: Colours, shown: LightSequence) -> Answer:
    return answer(TIMES, colours, shown, sequences(199, seed=99))


@pytest.mark.parametrize("delay", [0.0, 0.13, 0.4])
def test_a_lit_head_follows_the_light_at_any_delay(delay: float) -> None:
    """A surface responds in proportion to its brightness, 0 to 400 ms after the page."""
    (shown,) = sequences(1, seed=1)
    found = judged(lit(shown, np.random.default_rng(2), delay=delay), shown)
    assert found.accepted
    assert abs(found.exponent) < 0.1


def test_a_reflection_in_glass_is_no_surface() -> None:
    """It follows the sequence as well, but dark parts change more than bright ones."""
    (shown,) = sequences(1, seed=1)
    found = judged(lit(shown, np.random.default_rng(2), glass=True), shown)
    assert found.correlated
    assert found.exponent == pytest.approx(-1, abs=0.15)
    assert not found.accepted


def test_the_chance_of_recordings_is_uniform() -> None:
    """A recording of another sequence gets a probability below 0.1 in a tenth of the sessions."""
    shown, others = sequences(41, seed=3), sequences(49, seed=4)
    noise = np.random.default_rng(5)
    chances = np.array(
        [
            answer(TIMES, lit(recorded, noise), asked, others).chance
            for recorded, asked in pairwise(shown)
        ]
    )
    assert (chances <= 0.1).sum() <= 9
    assert 0.35 < chances.mean() < 0.65


def test_white_balance_and_exposure_cancel() -> None:
    """Gains of any factor, different in every frame and for each colour, have no effect."""
    (shown,) = sequences(1, seed=1)
    seen = lit(shown, np.random.default_rng(2))
    gains = np.exp(np.random.default_rng(6).normal(0, 0.3, (FRAMES, 3)))
    balanced: list[Array] = [seen.face * gains, seen.background * gains]
    found = judged(Colours(*balanced, seen.levels * gains[:, None]), shown)
    expected = judged(seen, shown)
    assert found.correlation == pytest.approx(expected.correlation)
    assert found.gain == pytest.approx(expected.gain)


def test_an_equally_lit_background_hides_the_light() -> None:
    """A print that fills the view shows its own background in the same light."""
    (shown,) = sequences(1, seed=1)
    seen = lit(shown, np.random.default_rng(2))
    light = AMBIENT + shown.at(TIMES - 0.2)
    found = judged(Colours(seen.face, seen.background * light, seen.levels), shown)
    assert not found.accepted
