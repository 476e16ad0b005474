"""The scene of a frame: a coarse grid of brightness."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from inference_pool.scene import scene_of
from shared.frame.scene import COLUMNS, ROWS, Scene


@pytest.mark.parametrize("size", [(240, 320), (480, 640), (720, 1280), (1920, 1080), (24, 32)])
def test_each_cell_is_the_mean_of_its_part(size: tuple[int, int]) -> None:
    """The size of the frame does not matter, and the message accepts the grid."""
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 1] = 200
    image[:, width // 2 :, 1] //= 2
    scene = scene_of(image)
    assert msgspec.convert(scene, Scene) == scene
    cells = np.frombuffer(scene, np.uint8).reshape(ROWS, COLUMNS).astype(int)
    quarters = cells[2, 2], cells[2, -3], cells[-3, 2]
    assert np.allclose(quarters, (200, 100, 0), atol=2)


def test_sensor_noise_hardly_changes_a_cell() -> None:
    """Noise of two grey levels changes a cell by at most one."""
    chance = np.random.default_rng(1)
    image = np.clip(chance.normal(120, 2, (480, 640, 3)), 0, 255).round().astype(np.uint8)
    cells = np.frombuffer(scene_of(image), np.uint8).astype(int)
    assert np.abs(cells - 120).max() <= 2
    assert np.abs(cells - 120).mean() < 0.6
