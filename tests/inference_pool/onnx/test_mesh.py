from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.detector import YuNet
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.mesh import LEFT_EYE_CORNERS, MAX_PASSES, RIGHT_EYE_CORNERS, FaceMesh
from shared.errors import EstimationError
from shared.frame.estimation import Box, Image

OTHER_TURNS = 3


class CountingMesh(FaceMesh):
    """Counts how often the network runs."""

    passes = 0

    def _run(self, crop: Image) -> tuple[np.ndarray, float]:
        self.passes += 1
        return super()._run(crop)


@pytest.fixture
def mesh(models: ModelStore) -> CountingMesh:
    return CountingMesh(models.session("mesh"))


@pytest.fixture(scope="module")
def yunet(models: ModelStore) -> YuNet:
    return YuNet(models.session("detector"))


def turned(image: Image, degrees: float) -> Image:
    """Rotate an image clockwise around its centre."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 0.8)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height)), np.uint8)


def test_a_level_face_takes_one_pass(mesh: CountingMesh, yunet: YuNet, portrait: Image) -> None:
    """The common case takes one run, perhaps two; the second call takes none."""
    (face,) = yunet.detect(portrait)
    first = mesh.fit(portrait, face)
    passes = mesh.passes
    assert mesh.fit(portrait, face) is first
    assert mesh.passes == passes <= 2


def test_mesh_lies_on_the_face(mesh: CountingMesh, yunet: YuNet, portrait: Image) -> None:
    """The mesh's eyes are where the detector finds the eyes."""
    (face,) = yunet.detect(portrait)
    points = mesh.fit(portrait, face)
    assert points.shape == (468, 3)
    for corners, eye in zip((RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS), face.points[:2], strict=True):
        off = points[list(corners), :2].mean(axis=0) - eye
        assert np.hypot(*off) < 0.06 * face.box.width


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_tilted_face_is_levelled(
    mesh: CountingMesh, yunet: YuNet, portrait: Image, degrees: float
) -> None:
    """For any rotation the mesh follows the image, in a limited number of runs."""
    (upright,) = yunet.detect(portrait)
    straight = mesh.fit(portrait, upright)
    mesh.passes = 0
    (tilted,) = yunet.detect(turned(portrait, degrees))
    points = mesh.fit(turned(portrait, degrees), tilted)
    across = points[263] - points[33]
    level = straight[263] - straight[33]
    angle = np.degrees(np.arctan2(across[1], across[0]) - np.arctan2(level[1], level[0]))
    assert angle == pytest.approx(degrees, abs=3)
    assert mesh.passes <= MAX_PASSES + OTHER_TURNS


@pytest.mark.parametrize("degrees", [0, 30])
def test_a_hasty_fit_looks_no_other_way(
    mesh: CountingMesh, yunet: YuNet, portrait: Image, degrees: int
) -> None:
    """One run, and more only to level the crop, although the face may be upside down."""
    image = turned(portrait, degrees)
    (face,) = yunet.detect(image)
    face.hasty = True
    mesh.fit(image, face)
    hasty, mesh.passes, face.hasty, face.mesh = mesh.passes, 0, False, None
    mesh.fit(image, face)
    assert hasty <= mesh.passes
    assert hasty <= (1 if degrees == 0 else MAX_PASSES)


def test_a_hasty_fit_of_a_sideways_face_fails(
    mesh: CountingMesh, yunet: YuNet, portrait: Image
) -> None:
    """Then the quick look decides nothing."""
    image = turned(portrait, 90)
    (face,) = yunet.detect(image)
    face.hasty = True
    with pytest.raises(EstimationError):
        mesh.fit(image, face)
    assert mesh.passes == 1


class BrokenMesh(FaceMesh):
    """Returns a face with NaN points."""

    def _run(self, crop: Image) -> tuple[np.ndarray, float]:
        points, _ = super()._run(crop)
        points[100, 1] = np.nan
        return points, 10.0


def test_nan_points_are_refused(models: ModelStore, yunet: YuNet, portrait: Image) -> None:
    """Such a mesh fails the stage."""
    (face,) = yunet.detect(portrait)
    with pytest.raises(EstimationError):
        BrokenMesh(models.session("mesh")).fit(portrait, face)


def test_no_face_in_the_box(mesh: CountingMesh) -> None:
    """A box without a face in it is refused instead of being given a mesh."""
    points = np.array([[280, 200], [360, 200], [320, 250], [290, 290], [350, 290]], np.float32)
    wall = DetectedFace(Box(220, 120, 200, 260), 0.9, points)
    with pytest.raises(EstimationError):
        mesh.fit(np.full((480, 640, 3), 127, np.uint8), wall)
