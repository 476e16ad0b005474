from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pose import Rendered
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.pose import DEPTH_GAIN, PITCH_AT_REST, PoseSolver, angles
from shared.errors import EstimationError, ModelError
from shared.frame.estimation import HeadPose, Image


@pytest.fixture(scope="module")
def solver(models: ModelStore) -> PoseSolver:
    return PoseSolver(models.path("canonical"))


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Nod, then turn, then tilt; axes right and up in the image, and towards the camera."""
    y, p, r = np.radians((yaw, pitch, roll))
    nod = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    turn = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    tilt = [[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.array(tilt) @ np.array(turn) @ np.array(nod)


def measured(backend: OnnxBackend, image: Image) -> HeadPose:
    (face,) = backend.detect(image)
    return backend.head_pose(image, face)


@given(yaw=st.floats(-80, 80), pitch=st.floats(-80, 80), roll=st.floats(-80, 80))
def test_angles_survive_a_round_trip(yaw: float, pitch: float, roll: float) -> None:
    """A rotation is decomposed into the angles it was made of."""
    pose = angles(rotation(yaw, pitch, roll))
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=1e-6)


def test_signs_of_angles_follow_the_nose() -> None:
    """Yaw > 0 looks to the image's right, pitch > 0 up; roll > 0 turns clockwise."""
    nose, right = np.array([0, 0, 1]), np.array([1, 0, 0])
    assert (rotation(20, 0, 0) @ nose)[0] > 0
    assert (rotation(0, 20, 0) @ nose)[1] > 0
    assert (rotation(0, 0, 20) @ right)[1] < 0


@pytest.mark.parametrize("pose", [(25, 0, 0), (0, -15, 0), (0, 0, 30), (-20, 10, -12)])
def test_rotated_canonical_face(
    solver: PoseSolver, models: ModelStore, pose: tuple[float, float, float]
) -> None:
    """A rotated, scaled and moved canonical face gives exactly its rotation.

    Its depth is too flat, as the network's is.
    """
    lines = models.path("canonical").read_text().splitlines()
    face = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    seen = (face @ rotation(*pose).T) * (7.0, -7.0, -7.0 / DEPTH_GAIN) + (320.0, 240.0, 5.0)
    found = solver.pose(seen.astype(np.float32))
    expected = (pose[0], pose[1] - PITCH_AT_REST, pose[2])
    assert (found.yaw, found.pitch, found.roll) == pytest.approx(expected, abs=1e-2)


def test_the_fit_is_a_rotation_not_a_reflection(solver: PoseSolver) -> None:
    """This holds even if a reflection would fit better."""
    mesh = (solver._canonical * (-7.0, -7.0, -7.0)).astype(np.float32)
    rotated = solver._rotation(mesh)
    assert np.linalg.det(rotated) == pytest.approx(1)
    assert rotated @ rotated.T == pytest.approx(np.eye(3), abs=1e-9)


def test_nan_points_have_no_pose(solver: PoseSolver) -> None:
    """A NaN angle fails the stage; it could pass a limit."""
    with pytest.raises(EstimationError):
        solver.pose(np.full((468, 3), np.nan, np.float32))


def test_a_mirrored_image_swaps_the_sides(backend: OnnxBackend, media: Path) -> None:
    """Mirroring an image negates yaw and roll and keeps the pitch."""
    image = cv2.imread(str(media / "stills" / "stock-emotions-a-2.jpg"))
    assert image is not None
    here = measured(backend, np.asarray(image, np.uint8))
    there = measured(backend, np.ascontiguousarray(image[:, ::-1], np.uint8))
    assert (there.yaw, there.roll) == pytest.approx((-here.yaw, -here.roll), abs=4)
    assert there.pitch == pytest.approx(here.pitch, abs=4)


@pytest.mark.parametrize("degrees", [-30, -12, 12, 30])
def test_rotating_an_image_changes_only_the_roll(
    backend: OnnxBackend, portrait: Image, degrees: float
) -> None:
    """An image rotated clockwise has that much more roll, and the same yaw and pitch."""
    matrix = cv2.getRotationMatrix2D((320, 240), -degrees, 0.8)
    straight = measured(backend, portrait)
    tilted = measured(backend, np.asarray(cv2.warpAffine(portrait, matrix, (640, 480)), np.uint8))
    assert tilted.roll - straight.roll == pytest.approx(degrees, abs=4)
    assert (tilted.yaw, tilted.pitch) == pytest.approx((straight.yaw, straight.pitch), abs=5)


def test_pitch_follows_the_chin(backend: OnnxBackend, media: Path) -> None:
    """The portrait with the raised chin has more pitch than the one with the lowered chin."""
    raised, lowered = (
        measured(backend, np.asarray(cv2.imread(str(media / "stills" / name)), np.uint8)).pitch
        for name in ("stock-emotions-a-1.jpg", "stock-emotions-a-7.jpg")
    )
    assert raised > 5
    assert lowered < -5


@pytest.mark.parametrize(("name", "sign"), [("a-2", 1), ("a-3", -1)])
def test_yaw_follows_the_nose(backend: OnnxBackend, media: Path, name: str, sign: int) -> None:
    """She looks to the image's right in one portrait and to its left in the other."""
    image = cv2.imread(str(media / "stills" / f"stock-emotions-{name}.jpg"))
    assert measured(backend, np.asarray(image, np.uint8)).yaw * sign > 3


def test_other_face_does_not_start(tmp_path: Path) -> None:
    """A canonical face of another number of vertices is refused."""
    (tmp_path / "face.obj").write_text("v 0 0 0\nv 1 0 0\n")
    with pytest.raises(ModelError, match="found 2 vertices"):
        PoseSolver(tmp_path / "face.obj")


@pytest.mark.media
def test_known_angles(backend: OnnxBackend, media: Path) -> None:
    """On textured canonical faces at known angles: little bias, gain near one, on every axis."""
    errors, asked = [], [(0, 0, 0), (-25, 0, 0), (25, 0, 0), (0, -15, 0), (0, 15, 0), (15, -10, 20)]
    for name in ("obama", "src_man1", "src_man3", "stock-emotions-a-5"):
        image = np.asarray(cv2.imread(str(media / "stills" / f"{name}.jpg")), np.uint8)
        (face,) = backend.detect(image)
        backend.head_pose(image, face)
        assert isinstance(face, DetectedFace)
        assert face.mesh is not None
        rendered = Rendered(image, face.mesh, backend._pose._canonical)
        for angles_asked in asked:
            found = measured(backend, rendered.at(*angles_asked))
            seen = (found.yaw, found.pitch + PITCH_AT_REST, found.roll)
            errors.append(np.subtract(seen, angles_asked))
    error = np.array(errors)
    assert np.abs(error.mean(axis=0)) == pytest.approx((0, 0, 0), abs=2.5)
    assert np.abs(error).mean(axis=0) == pytest.approx((0, 0, 0), abs=4.5)
    assert np.abs(error).max() < 12
