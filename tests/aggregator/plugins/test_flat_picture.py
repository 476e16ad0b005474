"""A photo of a face that is turned by hand does not pass for a turning head."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.onnx.backend import OnnxBackend
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from lunapass.demo import make_person
from shared.config.service import Config
from shared.frame.estimation import Image

FOCAL = 700.0
"""Focal length and distance of the picture, in pixels."""


@pytest.fixture(scope="module")
def scene(models_directory: Path) -> tuple[OnnxBackend, Image]:
    pytest.importorskip("skimage", reason="scikit-image (extra demo) is not installed")
    config = Config.model_validate({"MODELS": {"directory": str(models_directory)}})
    person: Person = make_person(None, config)
    return OnnxBackend.from_config(config), person.render(Look(distance=0.8))


def turned(picture: Image, yaw: float, pitch: float) -> Image:
    """Render a flat picture turned by these angles, as a camera sees it."""
    height, width = picture.shape[:2]
    (sy, sp), (cy, cp) = (f(np.radians([yaw, pitch])) for f in (np.sin, np.cos))
    rotation = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array(
        [[1, 0, 0], [0, cp, -sp], [0, sp, cp]]
    )
    camera = np.array([[FOCAL, 0, width / 2], [0, FOCAL, height / 2], [0, 0, 1]])
    plane = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    placed = np.column_stack([rotation[:, 0], rotation[:, 1], [0, 0, FOCAL]])
    seen = cv2.warpPerspective(
        picture, camera @ placed @ plane, (width, height), borderValue=(90, 90, 90)
    )
    return np.asarray(seen, np.uint8)


@pytest.mark.parametrize("axis", ["yaw", "pitch"])
def test_a_turned_picture_performs_no_action(scene: tuple[OnnxBackend, Image], axis: str) -> None:
    """At any angle its face stays below the thresholds of ActiveLiveness."""
    backend, picture = scene
    args = Config().MIDDLEWARES.WS.ActiveLiveness.args
    measured = 0
    for angle in (-55, -40, -25, 25, 40, 55):
        image = turned(picture, *((angle, 0) if axis == "yaw" else (0, angle)))
        for face in backend.detect(image)[:1]:
            pose = backend.head_pose(image, face)
            measured += 1
            assert abs(pose.yaw) < args.yawThresholdDeg
            assert abs(pose.pitch) < args.pitchThresholdDeg
    assert measured >= 4
