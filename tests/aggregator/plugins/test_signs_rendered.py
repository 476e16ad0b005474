"""Signs of rendered people and of photographs, measured by the reference models.

Thresholds are the defaults. The person is rendered from a portrait. A photograph is one frame of
it, moved as by a hand, a stand, light and noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from aggregator.plugins.signs import Signs, SignsWindow
from inference_pool.eyelids import eyelids_of
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.scene import scene_of
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.sensor import with_noise
from lunapass.demo import portrait_of
from shared.config.life_signs import LifeSignsArgs
from shared.frame.checks import Rules
from shared.frame.estimation import Image
from tests.support.judge import live

ARGS = LifeSignsArgs()
FRAMES = 8
Chance = np.random.Generator


@pytest.fixture(scope="module")
def backend(models_directory: Path) -> OnnxBackend:
    return OnnxBackend(ModelStore(models_directory))


@pytest.fixture(scope="module")
def person(backend: OnnxBackend, portrait: Image) -> Person:
    return Person(portrait_of(portrait, backend))


@pytest.fixture(scope="module")
def photograph(person: Person) -> Image:
    return person.render(Look())


def signs(backend: OnnxBackend, frames: list[Image]) -> Signs:
    """Measure frames .4 s apart, as a worker and the aggregator do, without the other checks."""
    window = SignsWindow(ARGS.windowSeconds, FRAMES, Rules())
    for number, frame in enumerate(frames):
        face = max(backend.detect(frame), key=lambda one: one.box.area)
        pose = backend.head_pose(frame, face)
        estimate = live(
            face=face.box,
            head_pose=pose,
            eyelids=eyelids_of(frame, backend.eye_centres(frame, face)),
            scene=scene_of(frame),
        )
        assert window.add(1000 + 0.4 * number, estimate)
    measured = window.signs()
    assert measured.frames == FRAMES
    return measured


def held(photograph: Image, chance: Chance) -> Image:
    """Move, turn and tilt the photograph a little."""
    corners = np.array([[0, 0], [640, 0], [640, 480], [0, 480]], np.float32)
    turn = np.radians(chance.normal(0, 1.0))
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (corners - (320, 240)) @ spin.T + (320, 240) + chance.normal(0, 5, 2)
    moved += chance.normal(0, 4, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return _warped(photograph, matrix)


def zoomed(photograph: Image, chance: Chance) -> Image:
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D((320, 240), 0, 1 + chance.normal(0, 0.04))
    return _warped(photograph, matrix)


def bent(photograph: Image, chance: Chance) -> Image:
    """Bend the photograph around a cylinder, by different amounts in different frames."""
    bend = 0.15 + chance.normal(0, 0.04)
    x, y = np.meshgrid(np.arange(640, dtype=np.float32), np.arange(480, dtype=np.float32))
    across = (x - 320) / 320
    source = 320 + 320 * np.sin(across * (1 + bend)) / np.sin(1 + bend)
    moved = cv2.remap(photograph, source.astype(np.float32), y, cv2.INTER_LINEAR)
    return np.asarray(moved, np.uint8)


def lit(photograph: Image, chance: Chance) -> Image:
    light = 1 + chance.normal(0, 0.08) + np.linspace(-1, 1, 640)[None, :, None] * 0.05
    return np.clip(photograph * light, 0, 255).astype(np.uint8)


def noisy(photograph: Image, chance: Chance) -> Image:
    noise = chance.normal(0, 4, photograph.shape)
    return np.clip(photograph + noise, 0, 255).astype(np.uint8)


def _warped(photograph: Image, matrix: np.ndarray) -> Image:
    moved = cv2.warpPerspective(photograph, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


@pytest.mark.parametrize("way", [held, zoomed, bent, lit, noisy])
def test_eyes_of_a_photograph_stay_below_the_threshold(
    way: Callable[[Image, Chance], Image], backend: OnnxBackend, photograph: Image
) -> None:
    """This holds however it is held and lit."""
    chance = np.random.default_rng(5)
    frames = [with_noise(way(photograph, chance), chance) for _ in range(FRAMES)]
    measured = signs(backend, frames)
    assert measured.eyes is not None
    assert measured.eyes < ARGS.eyesDeviation


def test_the_background_of_a_hand_held_photograph_moves(
    backend: OnnxBackend, photograph: Image
) -> None:
    """The background of the person's own frames is still while the head moves."""
    chance = np.random.default_rng(6)
    measured = signs(backend, [with_noise(held(photograph, chance), chance) for _ in range(FRAMES)])
    assert measured.background is not None
    assert measured.background > ARGS.backgroundMotion


def blinking(number: int, chance: Chance) -> Look:
    shut = 0.9 if number in (2, 5) else 0.02
    return Look(yaw=number * 0.4, left_eye_closed=shut, right_eye_closed=shut)


def squinting(number: int, chance: Chance) -> Look:
    closed = 0.35 if number % 3 else 0.02
    return Look(pitch=number * 0.3, left_eye_closed=closed, right_eye_closed=closed)


def talking(number: int, chance: Chance) -> Look:
    closed = abs(chance.normal(0, 0.12))
    open_mouth = 0.2 * (number % 2)
    return Look(
        yaw=chance.normal(0, 1.0),
        mouth_open=open_mouth,
        left_eye_closed=closed,
        right_eye_closed=closed,
    )


def sitting(number: int, chance: Chance) -> Look:
    """Vary the lids by a twentieth of the openness, the median of recordings of watching people."""
    closed = 0.1 + chance.normal(0, 0.07)
    return Look(yaw=chance.normal(0, 0.5), left_eye_closed=closed, right_eye_closed=closed)


@pytest.mark.parametrize("way", [blinking, squinting, talking, sitting])
def test_a_rendered_person_shows_every_sign(
    way: Callable[[int, Chance], Look], backend: OnnxBackend, person: Person
) -> None:
    """Eyes and head move, and the background is still."""
    chance = np.random.default_rng(7)
    frames = [with_noise(person.render(way(n, chance)), chance) for n in range(FRAMES)]
    measured = signs(backend, frames)
    assert measured.eyes is not None
    assert measured.pose is not None
    assert measured.eyes > ARGS.eyesDeviation
    assert measured.pose > ARGS.poseDeviation
    assert measured.background is None or measured.background < ARGS.backgroundMotion


def test_a_photograph_on_a_stand_does_not_move(backend: OnnxBackend, photograph: Image) -> None:
    """Sensor noise alone moves neither eyes nor head."""
    chance = np.random.default_rng(8)
    measured = signs(backend, [with_noise(photograph, chance) for _ in range(FRAMES)])
    assert measured.eyes is not None
    assert measured.pose is not None
    assert measured.eyes < ARGS.eyesDeviation
    assert measured.pose < ARGS.poseDeviation
