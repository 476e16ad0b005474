"""Curves and thresholds of the measurements under graded degradations, on portraits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.degradations import (
    DEGRADATIONS,
    Degradation,
    contrast,
    darker_skin,
    defocus,
    jpeg,
    noise,
    skin_mask,
    underexposure,
)
from inference_pool.onnx.backend import OnnxBackend
from inference_pool.onnx.face import DetectedFace
from inference_pool.onnx.quality import FaceQuality
from shared.codes import Code
from shared.frame.checks import Rules, judge
from shared.frame.estimation import Box, Estimate, Image, Quality, Stage

MEASURE = FaceQuality()
ROOT = Path(__file__).parents[3]
NAMES = ("obama", "src_man1", "src_man3", "stock-emotions-a-1", "stock-emotions-a-7")
Portrait = tuple[Image, Box, NDArray[np.float32]]


def codes(measured: Quality) -> tuple[Code, ...]:
    return judge(Stage.QUALITY, Estimate(640, 480, faces=1, quality=measured), Rules())


@pytest.fixture(scope="module")
def portraits(backend: OnnxBackend, portrait: Image) -> list[Portrait]:
    """The default portrait and, if available, the real ones, 640 pixels high."""
    stills = ROOT.parent / "shared" / "media" / "stills"
    images = [portrait]
    for name in NAMES if stills.is_dir() else ():
        image = cv2.imread(str(stills / f"{name}.jpg"))
        assert image is not None
        scale = 640 / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        images.append(np.asarray(small, np.uint8))
    return [_masked(backend, image) for image in images]


def _masked(backend: OnnxBackend, image: Image) -> Portrait:
    (face,) = backend.detect(image)
    backend.head_pose(image, face)
    assert isinstance(face, DetectedFace)
    assert face.mesh is not None
    return image, face.box, skin_mask(image, face.mesh)


@pytest.mark.parametrize(
    "damage", [one for one in DEGRADATIONS if one.measure], ids=lambda one: one.name
)
def test_a_measurement_falls_with_degradation(
    portraits: list[Portrait], damage: Degradation
) -> None:
    """Every portrait passes undamaged, scores never rise by much, and most are finally refused.

    A portrait lit from one side may gain at first by light from the other; a tone curve that
    crushes a face to black may leave its highlights. Those two are refused less often.
    """
    refused = 0
    for image, box, _ in portraits:
        found = [MEASURE.measure(damage.apply(image, box, s), box) for s in damage.strengths]
        values = [getattr(quality, damage.measure) for quality in found]
        assert codes(found[0]) == ()
        assert max(np.diff(values)) <= (0.15 if damage.measure == "illumination" else 0.07)
        assert values[-1] < max(values) - 0.2
        refused += codes(found[-1]) != ()
    hard = damage.measure == "illumination" or damage.name == "tone curve"
    assert refused >= (0.2 if hard else 1.0) * len(portraits)


def test_noise_does_not_count_as_detail(portraits: list[Portrait]) -> None:
    """An image out of focus is refused with noise, too."""
    for image, box, _ in portraits:
        blurred = noise(defocus(image, box, 12), box, 5)
        assert Code.BLURRED in codes(MEASURE.measure(blurred, box))


def test_codec_and_contrast_do_not_change_sharpness(portraits: list[Portrait]) -> None:
    """Neither strong compression nor half of the contrast makes an image blurred or sharp."""
    for image, box, _ in portraits:
        plain = MEASURE.measure(image, box).blur
        for changed in (jpeg(image, box, 70), contrast(image, box, 0.5)):
            assert MEASURE.measure(changed, box).blur == pytest.approx(plain, abs=0.06)


@pytest.mark.parametrize("stops", [0, 1])
def test_no_skin_is_refused_for_its_colour(portraits: list[Portrait], stops: float) -> None:
    """With an eighth of the reflectance, even one stop underexposed, every portrait passes."""
    for image, box, skin in portraits:
        for share in (0.5, 0.25, 0.12):
            shown = underexposure(darker_skin(image, skin, share), box, stops)
            assert codes(MEASURE.measure(shown, box)) == ()


def test_evenness_does_not_depend_on_the_skin(portraits: list[Portrait]) -> None:
    """The same light is as even on dark skin as on light skin."""
    for image, box, skin in portraits:
        darker = MEASURE.measure(darker_skin(image, skin, 0.25), box)
        assert darker.illumination == pytest.approx(
            MEASURE.measure(image, box).illumination, abs=0.12
        )
