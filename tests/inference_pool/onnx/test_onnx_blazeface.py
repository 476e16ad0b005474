"""BlazeFace finds the same faces as YuNet, with equivalent boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.blazeface import BlazeFace
from inference_pool.onnx.detector import YuNet


@pytest.fixture(scope="module")
def detector(fallback_models: Path) -> BlazeFace:
    return BlazeFace(ModelStore(fallback_models).session("detector"))


def test_finds_the_face(detector, portrait):
    """One face, with the points at their positions in the image."""
    (face,) = detector.detect(portrait)
    assert face.score > 0.8
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.points
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]
    assert face.box.x < nose[0] < face.box.x + face.box.width


def test_box_is_that_of_the_reference(detector, portrait, models_directory):
    """The box covers what the reference detector's box covers."""
    (expected,) = YuNet(ModelStore(models_directory).session("detector")).detect(portrait)
    (found,) = detector.detect(portrait)
    a, b = expected.box, found.box
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    overlap = width * height
    assert overlap / (a.area + b.area - overlap) > 0.7


def test_any_place_and_shape(detector, portrait):
    """The result is in the frame's own pixels, wherever the face is."""
    (alone,) = detector.detect(portrait)
    wide = np.zeros((600, 1100, 3), np.uint8)
    wide[60:540, 400:1040] = portrait
    (moved,) = detector.detect(wide)
    tolerance = 0.05 * alone.box.width
    np.testing.assert_allclose(moved.points - (400, 60), alone.points, atol=tolerance)


def test_two_faces(detector, portrait):
    """Each face is found once."""
    assert len(detector.detect(np.concatenate((portrait, portrait), axis=1))) == 2


def test_an_image_without_a_face(detector):
    """An image without a face has none, also after an image with one."""
    assert detector.detect(np.full((100, 300, 3), 128, np.uint8)) == []
