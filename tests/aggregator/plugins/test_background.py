"""Motion of the background: a hand-held picture moves as a whole, a room does not."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from aggregator.plugins.background import background_motion
from inference_pool.scene import scene_of
from shared.config.life_signs import LifeSignsArgs
from shared.frame.estimation import Box, Image

SIZE = (640, 480)
FACE = Box(215, 130, 210, 250)
LIMIT = LifeSignsArgs().backgroundMotion


def room(seed: int) -> Image:
    """Draw a room of rectangles, as sharp as the background of a person in a camera."""
    chance = np.random.default_rng(seed)
    image = np.full((SIZE[1], SIZE[0], 3), 140, np.uint8)
    for _ in range(20):
        x, y = chance.integers(-60, 600), chance.integers(-60, 440)
        width, height = chance.integers(20, 200, 2)
        colour = chance.integers(30, 230, 3).tolist()
        cv2.rectangle(image, (int(x), int(y)), (int(x + width), int(y + height)), colour, -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8)


def with_person(background: Image, dx: float = 0, dy: float = 0) -> Image:
    image = background.copy()
    x, y = round(320 + dx), round(255 + dy)
    cv2.ellipse(image, (x, y), (115, 160), 0, 0, 360, (150, 170, 200), -1)
    cv2.ellipse(image, (x, y + 330), (260, 220), 0, 0, 360, (60, 60, 90), -1)
    return image


def held(image: Image, chance: np.random.Generator, reach: float) -> Image:
    """Shift an image by these pixels, as a hand does."""
    turn = cv2.getRotationMatrix2D((320, 240), chance.normal(0, 0.5), 1 + chance.normal(0, 0.01))
    turn[:, 2] += chance.normal(0, reach, 2)
    moved = cv2.warpAffine(image, turn, SIZE, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def seen(image: Image, chance: np.random.Generator, gain: float = 1.0, offset: float = 0) -> bytes:
    noise = chance.normal(0, 2, image.shape)
    return scene_of(np.clip(image * gain + offset + noise, 0, 255).astype(np.uint8))


def motion(first: bytes, second: bytes, face: Box = FACE) -> float | None:
    return background_motion(first, second, (face, face), SIZE)


def typical(motions: list[float | None]) -> float:
    """Return the quantile that LifeSigns uses."""
    return float(np.quantile([one for one in motions if one is not None], 0.8))


@pytest.mark.parametrize("seed", range(3))
def test_a_still_room_stays_below_the_threshold(seed: int) -> None:
    """The person sways, the exposure steps and people walk past, all far below the threshold."""
    chance = np.random.default_rng(seed)
    plain = room(seed)
    still, passing = [], []
    for n in range(6):
        gain, offset = 1 + chance.normal(0, 0.05), chance.normal(0, 5)
        sway = with_person(plain, *chance.normal(0, 6, 2))
        still.append(seen(sway, chance, gain, offset))
        walked = plain.copy()
        cv2.rectangle(walked, (n * 110, 60), (n * 110 + 120, 480), (40, 60, 50), -1)
        passing.append(seen(with_person(walked), chance))
    assert typical([motion(a, b) for a, b in itertools.pairwise(still)]) < 0.6 * LIMIT
    assert typical([motion(a, b) for a, b in itertools.pairwise(passing)]) < LIMIT


@pytest.mark.parametrize("reach", [3.0, 6.0, 12.0])
def test_a_hand_held_picture_moves(reach: float) -> None:
    """The whole view moves. The test has a lower bound over several rooms, one with few details."""
    chance = np.random.default_rng(1)
    found = []
    for seed in range(4):
        photograph = with_person(room(seed))
        scenes = [seen(held(photograph, chance, reach), chance) for _ in range(6)]
        found.append(typical([motion(a, b) for a, b in itertools.pairwise(scenes)]))
    assert np.median(found) > 4 * LIMIT
    assert min(found) > LIMIT


def test_a_plain_wall_shows_no_motion() -> None:
    """This is the documented blind spot: without details no motion is visible."""
    wall = np.full((480, 640, 3), 150, np.uint8)
    chance = np.random.default_rng(2)
    scenes = [seen(held(with_person(wall), chance, 3.0), chance) for _ in range(4)]
    assert typical([motion(a, b) for a, b in itertools.pairwise(scenes)]) < LIMIT


def test_a_face_that_covers_the_view_leaves_the_background_unknown() -> None:
    """Too few cells are left on both sides."""
    scene = seen(room(0), np.random.default_rng(3))
    assert motion(scene, scene, Box(100, 20, 440, 440)) is None


def test_one_visible_side_is_enough() -> None:
    """The person stands at the border of the view."""
    scene = seen(room(0), np.random.default_rng(3))
    assert motion(scene, scene, Box(430, 150, 200, 220)) == pytest.approx(0.0)
