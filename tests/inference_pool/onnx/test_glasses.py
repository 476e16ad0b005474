from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points
from inference_pool.onnx.glasses import GlassesKind
from shared.errors import EstimationError
from shared.frame.estimation import Image


@pytest.fixture(scope="module")
def kind(models: ModelStore) -> GlassesKind:
    if not models.available("glasses"):
        pytest.skip("the optional glasses model is not in the models folder")
    return GlassesKind(models.session("glasses"))


def mesh_of(face: DetectedFace) -> Points:
    assert face.mesh is not None
    return face.mesh


def darkened(image: Image, mesh: Points, eyes: tuple[tuple[int, int], ...]) -> Image:
    """Paint a dark lens over each eye, and a bridge."""
    painted = image.copy()
    span = float(np.hypot(*(mesh[263, :2] - mesh[33, :2])))
    for corners in eyes:
        x, y = mesh[list(corners), :2].mean(axis=0)
        lens = ((float(x), float(y) + 0.04 * span), (0.52 * span, 0.4 * span), 0)
        cv2.ellipse(painted, lens, (25, 22, 20), -1)
    ends = [tuple(np.rint(mesh[corner, :2]).astype(int).tolist()) for corner in (133, 362)]
    cv2.line(painted, ends[0], ends[1], (20, 20, 20), max(1, int(0.04 * span)))
    return painted


BOTH = ((33, 133), (362, 263))


def test_a_face_without_glasses_has_none(
    kind: GlassesKind, portrait: Image, face: DetectedFace
) -> None:
    """The portrait wears none."""
    assert kind.classify(portrait, mesh_of(face)) == "no_glasses"


def test_dark_lenses_are_sunglasses(kind: GlassesKind, portrait: Image, face: DetectedFace) -> None:
    """Both lenses are dark."""
    mesh = mesh_of(face)
    assert kind.classify(darkened(portrait, mesh, BOTH), mesh) == "sunglasses"


def test_one_dark_eye_is_not_sunglasses(
    kind: GlassesKind, portrait: Image, face: DetectedFace
) -> None:
    """An eye in shadow or under a patch does not make sunglasses."""
    mesh = mesh_of(face)
    assert kind.classify(darkened(portrait, mesh, BOTH[:1]), mesh) != "sunglasses"


def test_dark_image_is_not_sunglasses(portrait: Image, face: DetectedFace) -> None:
    """Darkness is relative to the skin, so neither exposure nor skin tone makes sunglasses."""
    dark = (portrait * 0.2).astype(np.uint8)
    assert GlassesKind(None).classify(dark, mesh_of(face)) == "no_glasses"


def test_without_the_model_only_sunglasses_are_recognised(
    portrait: Image, face: DetectedFace
) -> None:
    """Dark lenses are detected without any model."""
    mesh = mesh_of(face)
    assert GlassesKind(None).classify(darkened(portrait, mesh, BOTH), mesh) == "sunglasses"


def test_eyes_outside_the_frame(kind: GlassesKind, portrait: Image, face: DetectedFace) -> None:
    """A mesh beyond the frame's border fails the stage."""
    with pytest.raises(EstimationError):
        kind.classify(portrait, mesh_of(face) - np.float32(5000))


def test_glasses_in_src_man3_only(kind: GlassesKind, backend: OnnxBackend, media: Path) -> None:
    """One person in the stills wears glasses, clear ones."""
    worn = {}
    for path in sorted((media / "stills").glob("*.jpg")):
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        (face,) = backend.detect(image)
        worn[path.stem] = backend.glasses(image, face)
    assert {name: glasses for name, glasses in worn.items() if glasses != "no_glasses"} == {
        "src_man3": "eyeglasses"
    }
