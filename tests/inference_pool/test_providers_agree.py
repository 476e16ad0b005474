"""Variants and runtimes judge every available image like the original models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.models import openvino_session
from inference_pool.models.manifest import load_manifest
from inference_pool.models.pulling.pull import Puller
from inference_pool.models.pulling.sources import FolderSource
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from loadtest.gallery import Gallery
from lunapass.demo import make_person
from lunapass.media import Media
from shared.config.service import Config, LimitsSection, ModelsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image, Profile

MEASURES = ("quality", "head_pose", "eyes", "mouth", "ags", "liveness")
RULES = Rules()
MAX_DEGREES, MAX_OCCLUSION, MAX_DIFFERENCE = 0.1, 0.05, 0.02
"""Greatest difference of an angle, of the mouth's cover and of any other measurement (0..1).

The mouth's cover moves most: OpenCV cuts the mouth out with places rounded to 1/32 of a pixel, and
a point of the mesh that moves by a thousandth of a pixel may be rounded differently, depending on
the processor too.
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not openvino_session.installed(), reason="the extra 'openvino' is not installed"
    ),
]

Estimators = dict[str, Estimator]


@pytest.fixture(scope="module")
def estimators(models_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Estimators:
    """Estimators on the original files, on the variants, and on the mix.

    They measure all they can.
    """
    pulled = tmp_path_factory.mktemp("models")
    fetched = Puller(pulled, load_manifest(), [FolderSource(models_directory)]).reference()
    assert {item.spec.role for item in fetched if item.rewritten} >= {"detector", "mesh"}
    stores = {
        "plain": ModelStore(pulled, "cpu", variants=False),
        "variants": ModelStore(pulled, "cpu"),
        "mix": ModelStore(pulled, "openvino"),
    }
    assert stores["mix"].provider("mesh") == "openvino"
    return {
        name: Estimator(OnnxBackend(store), RULES, exhaustive=True)
        for name, store in stores.items()
    }


def numbers(name: str, value: object) -> Iterator[tuple[str, float]]:
    """Return all numbers of a measurement, by name."""
    if is_dataclass(value):
        for field in fields(value):
            yield from numbers(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, float):
        yield name, value


def verdict(estimate: Estimate) -> tuple[object, ...]:
    """Return all of an estimate but the measurements."""
    return estimate.errors, estimate.stage, estimate.face, estimate.glasses


def near_threshold(estimate: Estimate) -> bool:
    """Whether an allowed difference of AGS may change the verdict, as in one of the portraits."""
    return estimate.ags is not None and (abs(estimate.ags - RULES.thresholds.ags) <= MAX_DIFFERENCE)


def _bound(measure: str) -> float:
    if measure.startswith("head_pose"):
        return MAX_DEGREES
    return MAX_OCCLUSION if measure in ("mouth.occluded", "ags") else MAX_DIFFERENCE


def compare(estimators: Estimators, what: str, images: Iterator[Image]) -> int:
    """Judge images with every runtime, alternating both profiles; print the largest differences.

    Returns:
        The number of judgements without a failure.
    """
    count = good = 0
    greatest: dict[tuple[str, str], float] = defaultdict(float)
    for image, profile in zip(images, cycle((Profile.PASSIVE, Profile.ACTIVE)), strict=False):
        plain = estimators["plain"].estimate(image, profile)
        for way in ("variants", "mix"):
            other = estimators[way].estimate(image, profile)
            assert verdict(other) == verdict(plain) or near_threshold(plain), way
            for name in MEASURES:
                before = dict(numbers(name, getattr(plain, name)))
                after = dict(numbers(name, getattr(other, name)))
                assert before.keys() == after.keys()
                for measure, value in before.items():
                    difference = abs(after[measure] - value)
                    greatest[measure, way] = max(greatest[measure, way], difference)
        count += 1
        good += plain.ok
    print(f"{what}: {count} judgements, {good} without a failure; greatest differences:")
    for (measure, way), difference in greatest.items():
        print(f"  {measure} with {way}: {difference:.2g}")
        bound = _bound(measure)
        assert difference <= bound, measure
    assert greatest["head_pose.pitch", "mix"] > 0, "the mix has one runtime only"
    return good


def test_real_images(estimators: Estimators, media: Path) -> None:
    """No verdict changes, and measurements hardly differ.

    These are all images but portraits, every fourth portrait, and each sixth frame of every clip,
    because neighbouring frames differ little.
    """
    files = sorted(path for path in media.rglob("*") if path.suffix in (".jpg", ".png", ".gif"))
    portraits = [path for path in files if path.parent.name == "portraits"]
    files = [path for path in files if path not in portraits or portraits.index(path) % 4 == 0]
    reader = Media(LimitsSection(framePixels=10_000_000))  # one still is larger than the default
    images = (image for path in files for image in islice(reader.frames(path), 0, None, 6))
    assert compare(estimators, f"{len(files)} files", images)


def test_synthetic_person(estimators: Estimators, models_directory: Path) -> None:
    """The same holds for the synthetic person, with all gestures and common mistakes."""
    pytest.importorskip("skimage", reason="scikit-image (extra demo) is not installed")
    config = Config(MODELS=ModelsSection(directory=str(models_directory)))
    shown = Gallery.render(make_person(None, config).render_jpeg).frames
    pictures = (np.frombuffer(jpeg, np.uint8) for jpeg in shown)
    images = (np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) for data in pictures)
    assert compare(estimators, "gallery", images)
