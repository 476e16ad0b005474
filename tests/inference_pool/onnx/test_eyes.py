from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.eyes import LEFT, RIGHT, SURELY_OPEN, EyeOpenness, on_mesh
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points
from shared.frame.estimation import Image


class CountingSession:
    """Forwards to a session and counts the runs."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, *arguments: Any) -> Any:
        self.runs += 1
        return self._session.run(*arguments)


@pytest.fixture
def session(models: ModelStore) -> CountingSession:
    return CountingSession(models.session("iris"))


@pytest.fixture
def openness(session: CountingSession) -> EyeOpenness:
    measure = EyeOpenness(session, 0.2)
    session.runs = 0
    return measure


def mesh_of(face: DetectedFace) -> Points:
    assert face.mesh is not None
    return face.mesh


def lids_lowered(mesh: Points, eye: Any) -> Points:
    """Return a mesh with half-shut eyes."""
    lowered = mesh.copy()
    lowered[eye.upper] = mesh[eye.lower] + 0.6 * (mesh[eye.upper] - mesh[eye.lower])
    return lowered


def test_open_eyes_need_no_contour(
    openness: EyeOpenness, session: CountingSession, portrait: Image, face: DetectedFace
) -> None:
    """If the mesh shows open eyes, the contour model does not run."""
    eyes = openness.measure(portrait, mesh_of(face), careful=False)
    assert (eyes.left_open, eyes.right_open, session.runs) == (True, True, 0)
    assert eyes.left == on_mesh(mesh_of(face), LEFT) >= SURELY_OPEN


def test_a_doubtful_eye_is_measured_by_its_contour(
    openness: EyeOpenness, session: CountingSession, portrait: Image, face: DetectedFace
) -> None:
    """The contour model runs only for an unclear eye, and corrects the mesh."""
    doubtful = lids_lowered(mesh_of(face), RIGHT)
    assert on_mesh(doubtful, RIGHT) < SURELY_OPEN
    eyes = openness.measure(portrait, doubtful, careful=False)
    assert session.runs == 1
    assert eyes.right > SURELY_OPEN > on_mesh(doubtful, RIGHT)


def test_careful_measurement_uses_both_contours(
    openness: EyeOpenness, session: CountingSession, portrait: Image, face: DetectedFace
) -> None:
    """During a prompt to blink, both eyes are measured by their contour."""
    eyes = openness.measure(portrait, mesh_of(face), careful=True)
    assert session.runs == 2
    assert eyes.left == pytest.approx(eyes.right, abs=0.1)


def test_without_the_contour_model_the_mesh_decides(portrait: Image, face: DetectedFace) -> None:
    """The model is optional."""
    mesh = lids_lowered(mesh_of(face), LEFT)
    eyes = EyeOpenness(None, 0.25).measure(portrait, mesh, careful=True)
    assert (eyes.left, eyes.right) == (on_mesh(mesh, LEFT), on_mesh(mesh, RIGHT))
    assert (eyes.left_open, eyes.right_open) == (False, True)


def test_painted_lids_are_shut(openness: EyeOpenness, portrait: Image, face: DetectedFace) -> None:
    """An eye painted with the skin of its lid is closed, on the person's own side."""
    mesh = mesh_of(face)
    painted = portrait.copy()
    x, y = mesh[[362, 263], :2].mean(axis=0)
    width = float(np.hypot(*(mesh[263, :2] - mesh[362, :2])))
    column, row = (int(v) for v in np.rint(mesh[257, :2]))
    skin = tuple(
        float(v) for v in portrait[row - 2 : row + 3, column - 2 : column + 3].mean((0, 1))
    )
    cv2.ellipse(painted, ((float(x), float(y)), (1.2 * width, 0.6 * width), 0), skin, -1)
    eyes = openness.measure(painted, mesh, careful=True)
    assert eyes.left < 0.6 * eyes.right
    assert eyes.right_open


@pytest.mark.parametrize("careful", [False, True])
def test_eyes_are_open_in_the_stills(backend: OnnxBackend, media: Path, careful: bool) -> None:
    """Every person in the stills has open eyes."""
    stills = sorted((media / "stills").glob("*.jpg"))
    assert stills
    for path in stills:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        (face,) = backend.detect(image)
        eyes = backend.eyes(image, face, careful=careful)
        assert (path.name, eyes.left_open, eyes.right_open) == (path.name, True, True)
