from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.degradations import darker_skin, skin_mask
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.geometry import Points
from inference_pool.onnx.mouth import MouthState
from shared.frame.estimation import Image, Mouth

MOST = 0.4


@pytest.fixture(scope="module")
def state() -> MouthState:
    return MouthState()


def mesh_of(face: DetectedFace) -> Points:
    assert face.mesh is not None
    return face.mesh


def covered(image: Image, mesh: Points, colour: tuple[float, float, float]) -> Image:
    """Paint a mask over nose, mouth and chin."""
    outline = [123, 132, 58, 172, 136, 150, 149, 176, 148, 152]
    outline += [377, 400, 378, 379, 365, 397, 288, 361, 352, 5]
    hull = cv2.convexHull(mesh[outline, :2].astype(np.int32))
    painted = image.copy()
    cv2.fillPoly(painted, [hull], colour)
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(painted + noise, 0, 255).astype(np.uint8)


def test_natural_portrait_smile_passes(
    state: MouthState, portrait: Image, face: DetectedFace
) -> None:
    """The smile of a portrait is measured, but within the default threshold."""
    mouth = state.measure(portrait, mesh_of(face))
    assert 0.05 < mouth.smile < MOST
    assert mouth.opened < MOST / 2
    assert mouth.occluded == 0


MASKS = {
    "white": (230, 230, 230),
    "surgical": (220, 190, 150),
    "black": (30, 30, 30),
    "skin": (140, 170, 210),
}


@pytest.mark.parametrize("colour", MASKS.values(), ids=MASKS.keys())
def test_covered_mouth(
    backend: OnnxBackend, portrait: Image, face: DetectedFace, colour: tuple[int, int, int]
) -> None:
    """A mask of any plain colour, including that of a hand, is occlusion."""
    image = covered(portrait, mesh_of(face), colour)
    (masked,) = backend.detect(image)
    assert backend.mouth(image, masked).occluded > MOST


def test_microphone_before_the_mouth(
    state: MouthState, portrait: Image, face: DetectedFace
) -> None:
    """A dark object that hides only the lips is occlusion, too."""
    mesh = mesh_of(face)
    image = portrait.copy()
    x, y = np.rint(mesh[[13, 14], :2].mean(axis=0)).astype(int).tolist()
    radius = int(0.35 * np.hypot(*(mesh[263, :2] - mesh[33, :2])))
    cv2.circle(image, (x, y), radius, (40, 40, 40), -1)
    assert state.measure(image, mesh).occluded > MOST


def test_scores_grow_with_the_mouth(state: MouthState, portrait: Image, face: DetectedFace) -> None:
    """Moving the lips apart raises ``opened``, the corners apart ``smile``; monotonically."""
    opened, smile = [], []
    for step in range(0, 60, 10):
        gaping, grinning = mesh_of(face).copy(), mesh_of(face).copy()
        gaping[14, 1] += step
        grinning[61, 0] -= step
        opened.append(state.measure(portrait, gaping).opened)
        smile.append(state.measure(portrait, grinning).smile)
    assert opened == sorted(opened)
    assert smile == sorted(smile)
    assert min(opened[-1], smile[-1]) > MOST


def measured(backend: OnnxBackend, path: Path) -> Mouth:
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    (face,) = backend.detect(image)
    return backend.mouth(image, face)


def test_open_mouth_in_a_6(backend: OnnxBackend, media: Path) -> None:
    """Of the stills only the one with the tongue out has an open mouth."""
    opened = {
        path.stem
        for path in (media / "stills").glob("*.jpg")
        if measured(backend, path).opened > MOST
    }
    assert opened == {"stock-emotions-a-6"}


def test_no_still_has_a_covered_mouth(backend: OnnxBackend, media: Path) -> None:
    """A beard, a grin and a tongue are not occlusion."""
    for path in sorted((media / "stills").glob("*.jpg")):
        assert measured(backend, path).occluded < MOST / 2, path.name


@pytest.mark.parametrize("name", ["obama", "src_man1", "src_man3", "stock-emotions-a-5"])
def test_darker_skin_is_not_occlusion(backend: OnnxBackend, media: Path, name: str) -> None:
    """Darkened skin passes the default threshold."""
    image = np.asarray(cv2.imread(str(media / "stills" / f"{name}.jpg")), np.uint8)
    image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5), np.uint8)
    (face,) = backend.detect(image)
    backend.head_pose(image, face)
    darker = darker_skin(image, skin_mask(image, mesh_of(face)), 0.12)
    (found,) = backend.detect(darker)
    assert backend.mouth(darker, found).occluded <= MOST
