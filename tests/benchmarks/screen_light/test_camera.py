"""The simulated room and camera match the description of the table."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.screen_light.camera import Camera
from benchmarks.screen_light.scene import Room, linear

AHEAD = np.array([0.0, 0.0, -1.0])
FRAMES = 20


@pytest.mark.parametrize("ambient", [1.0, 8.0])
def test_the_room_has_the_given_brightness(ambient: float) -> None:
    """Green on a surface that faces the camera is ``ambient`` times that of the white screen."""
    rooms = [Room(np.random.default_rng(seed), FRAMES, ambient) for seed in range(20)]
    green = [room.on(AHEAD, now)[1] for room in rooms for now in range(FRAMES)]
    assert np.mean(green) == pytest.approx(ambient, rel=0.05)


def test_the_white_balance_follows_the_light_with_a_lag() -> None:
    """With most cameras a redder light reddens the next frame, and later frames less and less."""
    grey, red = np.full((24, 32, 3), 0.3), np.full((24, 32, 3), 0.3) * (1.5, 1.0, 1.0)
    followed = 0
    for seed in range(10):
        camera = Camera(np.random.default_rng(seed), FRAMES)
        before = redness(camera.take(grey))
        frames = [redness(camera.take(red)) for _ in range(FRAMES - 1)]
        assert frames[0] > before + 0.1
        followed += frames[-1] < frames[0] - 0.05
    assert followed >= 7


def redness(image: np.ndarray) -> float:
    red, green, _ = linear(image).mean(axis=(0, 1))
    return float(np.log(red / green))
