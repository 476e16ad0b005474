"""Simulated recaptures are reproducible and bounded, and differ as documented."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.adapt.light import to_light, to_pixels
from evaluation.adapt.observing import KINDS
from evaluation.adapt.recapture import FACE_WIDTH, SURROUNDINGS, Scene, simulated
from evaluation.samples import LIVE
from shared.frame.estimation import Box, Image

FACE = Box(70, 40, 60, 80)


def picture(height: int = 160, width: int = 200) -> Image:
    """Return a colourful image without noise."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(rows / 37 + phase) * np.cos(columns / 53) for phase in (0, 1, 2)]
    return np.dstack(waves).astype(np.uint8)


def seeded(*seeds: int) -> np.random.Generator:
    return np.random.default_rng(list(seeds))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_determines_a_recapture(kind: str) -> None:
    """The same seed gives the same bytes; another seed gives another recapture."""
    scene = Scene.of(picture(), FACE)
    one, same, other = (simulated(scene, kind, seeded(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.dtype == np.uint8


def test_a_live_capture_stays_closer_to_the_image_than_a_recapture() -> None:
    """The camera alone changes an image less than paper and screen do."""
    scene = Scene.of(picture(), FACE)
    original = to_pixels(scene.light).astype(float)

    def change(kind: str) -> float:
        made = [simulated(scene, kind, seeded(3, copy)) for copy in range(8)]
        return float(np.mean([np.abs(one - original).mean() for one in made]))

    assert change(LIVE) < 0.6 * min(change("print"), change("screen"))


def test_the_size_of_the_scene_is_limited() -> None:
    """A frame of 12 megapixels is cropped and reduced around its face, which keeps its place."""
    image = np.zeros((3000, 4000, 3), np.uint8)
    image[1000:1800, 2000:2600] = 255
    scene = Scene.of(image, Box(2000, 1000, 600, 800))
    height, width, _ = scene.light.shape
    assert scene.face.width == FACE_WIDTH
    assert width <= SURROUNDINGS * FACE_WIDTH + 2
    assert height <= SURROUNDINGS * scene.face.height + 2
    face = scene.face
    inside = scene.light[
        face.y + 3 : face.y + face.height - 3, face.x + 3 : face.x + face.width - 3
    ]
    assert inside.min() > 0.9
    assert scene.light.mean() < 0.2


def test_small_faces_are_not_enlarged() -> None:
    """No detail is invented."""
    scene = Scene.of(picture(), FACE)
    assert scene.face == FACE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", [Box(0, 0, 30, 40), Box(-20, 60, 90, 120), Box(0, 0, 100, 80)])
def test_face_at_the_border_or_filling_the_frame(kind: str, face: Box) -> None:
    """Any box of a detector gives an image of the scene's size."""
    scene = Scene.of(picture(80, 100), face)
    for copy in range(4):
        assert simulated(scene, kind, seeded(copy)).shape == scene.light.shape


def test_light_converts_back_to_pixels() -> None:
    """A round trip changes no pixel."""
    values = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert np.array_equal(to_pixels(to_light(values)), values)
