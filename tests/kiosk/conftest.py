"""Who stands before the browser's camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import astronaut
from tests.support.browser import browsing
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


@pytest.fixture(scope="module")
def stamp_camera(tmp_path_factory: pytest.TempPathFactory) -> FakeCamera:
    """A camera that shows stamped pictures, for the tests of one module."""
    folder = tmp_path_factory.mktemp("camera")
    return FakeCamera(folder / "camera.mjpeg", stamped_jpeg(1, 1))


@pytest.fixture(scope="module")
def browser(stamp_camera: FakeCamera) -> Iterator[Any]:
    """A browser with that camera."""
    with browsing(stamp_camera) as running:
        yield running


@pytest.fixture
def stamps(stamp_camera: FakeCamera) -> FakeCamera:
    """The camera before a picture that is not live."""
    stamp_camera.show(stamped_jpeg(1, 1))
    return stamp_camera
