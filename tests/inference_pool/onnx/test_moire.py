from __future__ import annotations

import numpy as np
import pytest

from benchmarks.degradations import jpeg, noise
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.moire import peak
from shared.frame.estimation import MOIRE_SIDE, Box, Image

SUSPECT = 5.0


def striped(image: Image, period: float, amplitude: float) -> Image:
    """Draw a slanted lattice over an image, like the moire of a screen."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    along, across = columns + 0.15 * rows, rows - 0.15 * columns
    lattice = np.sin(2 * np.pi * along / period) + np.sin(2 * np.pi * across / period / 1.1)
    return np.clip(image + amplitude * lattice[..., None], 0, 255).astype(np.uint8)


def test_a_face_has_a_low_value(portrait: Image, face: DetectedFace) -> None:
    """A codec or noise does not raise it."""
    for shown in (portrait, jpeg(portrait, face.box, 60), noise(portrait, face.box, 8)):
        assert 0 < peak(shown, face.box) < SUSPECT


@pytest.mark.parametrize("period", [3, 5, 7])
def test_a_lattice_has_a_high_value(portrait: Image, face: DetectedFace, period: float) -> None:
    """A faint one is detected after a codec, too; a stronger one gives a higher value."""
    peaks = [peak(striped(portrait, period, strength), face.box) for strength in (0, 3, 8)]
    assert peaks == sorted(peaks)
    assert peaks[-1] > SUSPECT
    assert peak(jpeg(striped(portrait, period, 8), face.box, 30), face.box) > SUSPECT


def test_too_few_pixels_are_not_judged(portrait: Image) -> None:
    """A small face, or one that is cut off, has no measurement."""
    assert peak(portrait, Box(100, 100, MOIRE_SIDE - 1, MOIRE_SIDE - 1)) == 0
    assert peak(portrait, Box(-120, 100, MOIRE_SIDE, MOIRE_SIDE)) == 0
    assert peak(np.zeros((480, 640, 3), np.uint8), Box(100, 100, MOIRE_SIDE, MOIRE_SIDE)) < SUSPECT


def test_moire_is_measured_only_on_request(
    models: ModelStore, backend: OnnxBackend, portrait: Image, face: DetectedFace
) -> None:
    """The backend omits it by default, and the networks' score does not depend on it."""
    looking = OnnxBackend(models, look_for_moire=True)
    plain, measured = backend.liveness(portrait, face), looking.liveness(portrait, face)
    assert (plain.moire, measured.score) == (0, plain.score)
    assert measured.moire == peak(portrait, face.box)
