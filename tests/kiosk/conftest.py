"""The person before the browser's camera, and fixtures that the tests of a module share.

A browser and a service take seconds of CPU time to start, so each module has one of each. They end
with the module: Playwright runs an event loop in its thread, in which no asynchronous test can run,
and without an ``__init__.py`` a fixture of a folder would last for the whole run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import astronaut
from tests.support.browser import browsing
from tests.support.fake_camera import FakeCamera
from tests.support.filmed import filmed_jpeg, filming
from tests.support.service import Service


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
    """A camera that shows stamped images."""
    folder = tmp_path_factory.mktemp("camera")
    return FakeCamera(folder / "camera.mjpeg", filmed_jpeg(1, 1))


@pytest.fixture(scope="module")
def shared_browser(stamp_camera: FakeCamera) -> Iterator[Any]:
    """A browser with that camera."""
    with browsing(stamp_camera) as running:
        yield running


@pytest.fixture
def stamps(stamp_camera: FakeCamera) -> FakeCamera:
    """The camera, showing an image that is not live."""
    stamp_camera.show(filmed_jpeg(1, 1))
    return stamp_camera


@pytest.fixture
def browser(shared_browser: Any, stamps: FakeCamera) -> Iterator[Any]:
    """The browser, whose pages close with the test; a page left open would continue its check."""
    yield shared_browser
    for context in shared_browser.contexts:
        context.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service for tests that change neither its settings nor its processes."""
    with filming() as started:
        yield started
