"""The ONNX backend with the reference models, and its results for the portrait."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from shared.frame.estimation import Image


@pytest.fixture(scope="session")
def models(models_directory: Path) -> ModelStore:
    return ModelStore(models_directory, provider="cpu")


@pytest.fixture(scope="session")
def pulled(pulled_models: Path) -> ModelStore:
    return ModelStore(pulled_models, provider="cpu")


@pytest.fixture(scope="session")
def backend(models: ModelStore) -> OnnxBackend:
    return OnnxBackend(models)


@pytest.fixture
def face(backend: OnnxBackend, portrait: Image) -> DetectedFace:
    """The portrait's face, with its mesh fitted."""
    (found,) = backend.detect(portrait)
    assert isinstance(found, DetectedFace)
    backend.head_pose(portrait, found)
    return found
