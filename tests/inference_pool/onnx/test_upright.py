"""Upright faces: the roll covers all angles, and an upside-down face never passes."""

from __future__ import annotations

from math import remainder
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.detector import YuNet
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points, line_angle
from inference_pool.onnx.mesh import DOUBT, SURE, FaceMesh
from shared.codes import Code
from shared.errors import EstimationError
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image, Profile, Stage

RULES = Rules()
FACE_WIDTH = 240
"""Width in pixels to which faces of the media are scaled, so that they pass the checks of size."""


@pytest.fixture(scope="module")
def fallback(fallback_models: Path) -> OnnxBackend:
    return OnnxBackend(ModelStore(fallback_models))


@pytest.fixture(params=["reference", "fallback"])
def any_backend(request: pytest.FixtureRequest) -> OnnxBackend:
    """A backend with each set of models."""
    name = "backend" if request.param == "reference" else "fallback"
    found: OnnxBackend = request.getfixturevalue(name)
    return found


def turned(image: Image, degrees: float) -> Image:
    """Rotate an image clockwise around its centre; its border fills the corners."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=border), np.uint8)


def squared(image: Image, face: DetectedFace) -> Image:
    """Crop 640 pixels around a face, scaled to ``FACE_WIDTH``; its border fills what is missing."""
    scale, box = FACE_WIDTH / face.box.width, face.box
    x, y = box.x + box.width / 2, box.y + box.height / 2
    matrix = np.array([[scale, 0, 320 - scale * x], [0, scale, 320 - scale * y]])
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, matrix, (640, 640), borderMode=border), np.uint8)


@pytest.fixture(scope="module")
def square_portrait(backend: OnnxBackend, portrait: Image) -> Image:
    """The portrait with space to rotate in."""
    (face,) = backend.detect(portrait)
    assert isinstance(face, DetectedFace)
    return squared(portrait, face)


def judged(backend: OnnxBackend, image: Image) -> Estimate:
    return Estimator(backend, RULES).estimate(np.ascontiguousarray(image), Profile.PASSIVE)


def roll_of(backend: OnnxBackend, image: Image) -> float:
    """Return the roll of the largest face, regardless of earlier checks."""
    face = max(backend.detect(image), key=lambda found: found.box.area)
    return backend.head_pose(image, face).roll


@pytest.mark.parametrize("upset", ["mirrored top to bottom", "turned by 180 degrees"])
def test_an_upside_down_face_is_refused(
    any_backend: OnnxBackend, portrait: Image, upset: str
) -> None:
    """It has a roll near 180 degrees and so a code of a tilted head, and estimation ends there."""
    image = portrait[::-1] if upset.startswith("mirrored") else portrait[::-1, ::-1]
    estimate = judged(any_backend, image)
    assert judged(any_backend, portrait).reached_liveness
    assert estimate.stage is Stage.HEAD_POSE
    assert set(estimate.errors) & {Code.TILTED_LEFT, Code.TILTED_RIGHT}
    assert estimate.head_pose is not None
    assert 165 < abs(estimate.head_pose.roll) <= 180


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_roll_covers_all_angles(
    any_backend: OnnxBackend, square_portrait: Image, mirrored: bool
) -> None:
    """In steps of 15 degrees the roll is that of the upright image plus the rotation."""
    image = np.ascontiguousarray(square_portrait[:, ::-1]) if mirrored else square_portrait
    at_rest = roll_of(any_backend, image)
    found = {}
    for degrees in range(0, 360, 15):
        picture = turned(image, degrees)
        if any_backend.detect(picture):
            found[degrees] = remainder(roll_of(any_backend, picture) - at_rest - degrees, 360)
    assert len(found) > 18
    assert {0, 15, 165, 180, 195, 345} <= found.keys()
    assert {degrees: off for degrees, off in found.items() if abs(off) > 6} == {}


def test_points_and_mesh_agree(backend: OnnxBackend, square_portrait: Image) -> None:
    """The detector's points are upright for any rotation; the mesh replaces them."""
    for degrees in (0, 20, 180, 200):
        picture = turned(square_portrait, degrees)
        (face,) = backend.detect(picture)
        assert isinstance(face, DetectedFace)
        before = face.points
        roll = backend.head_pose(picture, face).roll
        assert face.points.shape == (5, 2)
        tilt = np.degrees(line_angle(face.points[0], face.points[1]))
        assert abs(remainder(tilt - roll, 360)) < 30
        assert (face.points is before) == (degrees < 90)


def test_the_person_is_the_same_upside_down(backend: OnnxBackend, square_portrait: Image) -> None:
    """The descriptor is of the upright face, even if the configuration allows any roll."""
    vectors = []
    for degrees in (0, 180):
        picture = turned(square_portrait, degrees)
        (face,) = backend.detect(picture)
        backend.head_pose(picture, face)
        vectors.append(np.frombuffer(backend.descriptor(picture, face), np.float32))
    assert float(vectors[0] @ vectors[1]) > 0.8


class ScriptedMesh(FaceMesh):
    """A fake network that returns a given presence for each run."""

    said: list[float]

    def _run(self, crop: Image) -> tuple[Points, float]:
        points, _ = super()._run(crop)
        return points, self.said.pop(0)


@pytest.fixture
def scripted(models: ModelStore) -> ScriptedMesh:
    return ScriptedMesh(models.session("mesh"))


@pytest.fixture
def found(models: ModelStore, portrait: Image) -> DetectedFace:
    (face,) = YuNet(models.session("detector")).detect(portrait)
    return face


def test_a_high_presence_takes_one_run(
    scripted: ScriptedMesh, portrait: Image, found: DetectedFace
) -> None:
    """The opposite rotation is not tried."""
    scripted.said = [SURE]
    scripted.fit(portrait, found)
    assert scripted.said == []


def test_a_lower_presence_tries_the_opposite_rotation(
    scripted: ScriptedMesh, portrait: Image, found: DetectedFace
) -> None:
    """Here the opposite one has far less."""
    scripted.said = [SURE - 1, 0.0]
    scripted.fit(portrait, found)
    assert scripted.said == []


@pytest.mark.parametrize("lead", [0.0, DOUBT - 0.1, float("nan")])
def test_a_face_that_may_be_upside_down_has_no_pose(
    scripted: ScriptedMesh, portrait: Image, found: DetectedFace, lead: float
) -> None:
    """If both rotations are about as likely, the frame fails."""
    scripted.said = [20.0, 20.0 - lead]
    with pytest.raises(EstimationError, match="which way up"):
        scripted.fit(portrait, found)


@pytest.fixture(scope="module")
def people(backend: OnnxBackend, media: Path) -> dict[str, Image]:
    """Every still and every eighth generated portrait, of one size."""
    paths = [
        *sorted((media / "stills").iterdir()),
        *sorted((media / "pad").iterdir()),
        *sorted((media / "portraits").iterdir())[::8],
    ]
    pictures = {}
    for path in paths:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        face = max(backend.detect(image), key=lambda seen: seen.box.area)
        assert isinstance(face, DetectedFace)
        pictures[path.stem] = squared(image, face)
    assert len(pictures) > 20
    return pictures


@pytest.mark.media
def test_no_upright_person_is_rotated(any_backend: OnnxBackend, people: dict[str, Image]) -> None:
    """Tilted by up to 20 degrees either way, with beards and glasses, all are taken for upright."""
    off = {}
    for name, image in people.items():
        at_rest = roll_of(any_backend, image)
        assert abs(at_rest) < 25, name
        for degrees in (-20, -10, 10, 20):
            off[name, degrees] = roll_of(any_backend, turned(image, degrees)) - at_rest - degrees
    assert {key: value for key, value in off.items() if abs(value) > 15} == {}


@pytest.mark.media
@pytest.mark.parametrize("mirrored", [False, True])
def test_no_face_passes_upside_down(
    any_backend: OnnxBackend, people: dict[str, Image], mirrored: bool
) -> None:
    """Rotated by 180 degrees or mirrored top to bottom, no frame passes the check of the pose."""
    passed, tilted = [], 0
    for name, image in people.items():
        estimate = judged(any_backend, image[::-1] if mirrored else image[::-1, ::-1])
        if estimate.stage > Stage.HEAD_POSE:
            passed.append(name)
        tilted += bool(set(estimate.errors) & {Code.TILTED_LEFT, Code.TILTED_RIGHT})
    assert passed == []
    assert tilted > 0.7 * len(people)
