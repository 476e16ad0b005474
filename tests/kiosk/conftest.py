"""Who stands before the browser's camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.person import Person
from loadtest.portrait import astronaut
from tests.support.fake_camera import FakeCamera
from tests.support.stamp import stamped_jpeg


@pytest.fixture(scope="session")
def person(models_directory: Path) -> Person:
    """The synthetic person, fitted by the real models."""
    from inference_pool.models.store import ModelStore
    from inference_pool.onnx.backend import OnnxBackend
    from lunapass.demo import portrait_of

    backend = OnnxBackend(ModelStore(models_directory, provider="cpu"))
    return Person(portrait_of(astronaut(), backend))


@pytest.fixture
def stamps(tmp_path: Path) -> FakeCamera:
    """A camera that shows stamped pictures; the first one is not live."""
    return FakeCamera(tmp_path / "camera.mjpeg", stamped_jpeg(1, 1))
