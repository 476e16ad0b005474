"""Fixtures: the real backend, a synthetic person fitted to it, and frames without either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from loadtest.gallery import Gallery
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from loadtest.synthetic.portrait import Portrait, astronaut
from shared.frame.estimation import Face, HeadPose, Image


def fitted_to(image: Image, backend: OnnxBackend) -> Portrait:
    """A portrait with the mesh that the backend's stages fit to its one face."""
    (face,) = backend.detect(image)
    backend.head_pose(image, face)
    mesh = cast(DetectedFace, face).mesh
    assert mesh is not None
    return Portrait(image, mesh)


@pytest.fixture(scope="session")
def backend(models_directory: Path) -> OnnxBackend:
    """The ONNX backend on the reference models."""
    return OnnxBackend(ModelStore(models_directory, provider="cpu"))


@pytest.fixture(scope="session")
def fitted(backend: OnnxBackend) -> Portrait:
    """The default portrait, fitted."""
    return fitted_to(astronaut(), backend)


@pytest.fixture(scope="session")
def person(fitted: Portrait) -> Person:
    """The default person in frames of 640 x 480."""
    return Person(fitted)


Seen = tuple[Image, Face]
See = Callable[[Look], Seen]


@pytest.fixture(scope="session")
def see(backend: OnnxBackend, person: Person) -> See:
    """Render a look and find the one face in it."""

    def seen(look: Look) -> Seen:
        image = person.render(look)
        (face,) = backend.detect(image)
        return image, face

    return seen


@pytest.fixture(scope="session")
def pose_of(backend: OnnxBackend, see: See) -> Callable[[Look], HeadPose]:
    """Measure the angles of a rendered look, relative to the neutral look's."""

    def measured(look: Look) -> HeadPose:
        return backend.head_pose(*see(look))

    plain = measured(Look())

    def relative(look: Look) -> HeadPose:
        pose = measured(look)
        return HeadPose(pose.yaw - plain.yaw, pose.pitch - plain.pitch, pose.roll - plain.roll)

    return relative


@pytest.fixture(scope="session")
def gallery() -> Gallery:
    """Texts in place of frames; each names its look."""
    return Gallery.render(lambda look: repr(look).encode())
