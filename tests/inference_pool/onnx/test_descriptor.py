from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.descriptor import MobileFaceNet
from shared.errors import EstimationError
from shared.frame.estimation import Image


def described(backend: OnnxBackend, image: Image) -> np.ndarray:
    (face,) = backend.detect(image)
    return np.frombuffer(backend.descriptor(image, face), "<f4")


def test_descriptor_is_a_unit_vector(backend: OnnxBackend, portrait: Image) -> None:
    """128 float32 of unit length, so that a scalar product is the cosine."""
    vector = described(backend, portrait)
    assert vector.shape == (128,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_place_and_light_do_not_change_the_person(backend: OnnxBackend, portrait: Image) -> None:
    """Smaller, turned or darker, it is still the same person."""
    matrix = cv2.getRotationMatrix2D((320, 240), 12, 0.7)
    changed = cv2.warpAffine(portrait, matrix, (640, 480))
    darker = (changed * 0.7).astype(np.uint8)
    assert float(described(backend, portrait) @ described(backend, darker)) > 0.8


def test_same_person_is_nearer_than_any_other(backend: OnnxBackend, media: Path) -> None:
    """Frontal portraits of one woman are more similar to each other than to any other person."""
    stills = {
        path.stem: described(backend, np.asarray(cv2.imread(str(path)), np.uint8))
        for path in sorted((media / "stills").glob("*.jpg"))
    }
    her = [stills[f"stock-emotions-a-{number}"] for number in (4, 5, 8)]
    others = [vector for name, vector in stills.items() if "stock" not in name]
    same = [float(her[i] @ her[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    different = [float(vector @ other) for vector in her for other in others]
    assert min(same) > 0.5 > 0.3 > max(different)


def test_points_without_extent(models: ModelStore, portrait: Image) -> None:
    """Key points that all coincide are degenerate and fail the stage."""
    network = MobileFaceNet(models.session("descriptor"))
    with pytest.raises(EstimationError):
        network.describe(portrait, np.zeros((5, 2), np.float32))
