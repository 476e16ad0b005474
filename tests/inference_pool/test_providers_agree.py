"""The mix of runtimes judges every picture there is as onnxruntime alone does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_pool.estimator import Estimator
from inference_pool.models import openvino_session
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from loadtest.gallery import Gallery
from lunapass.demo import make_person
from lunapass.media import frames
from shared.checks import Rules
from shared.config import Config, ModelsSection
from shared.estimation import Image, Profile

MEASURES = ("quality", "head_pose", "eyes", "mouth", "ags", "liveness")
MOST_DEGREES, MOST = 0.1, 0.01
"""Greatest difference allowed of an angle, and of any other measure; they are 0..1."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not openvino_session.installed(), reason="the extra 'openvino' is not installed"
    ),
]

Pair = dict[str, Estimator]


@pytest.fixture(scope="module")
def pair(models_directory: Path) -> Pair:
    """Estimators on onnxruntime alone and on the mix, which measure all they can."""
    stores = {name: ModelStore(models_directory, name) for name in ("cpu", "openvino")}
    assert stores["openvino"].provider("mesh") == "openvino"
    return {
        name: Estimator(OnnxBackend(store), Rules(), exhaustive=True)
        for name, store in stores.items()
    }


def numbers(name: str, value: object) -> Iterator[tuple[str, float]]:
    """All numbers of a measure, by name."""
    if is_dataclass(value):
        for field in fields(value):
            yield from numbers(f"{name}.{field.name}", getattr(value, field.name))
    elif isinstance(value, float):
        yield name, value


def compare(pair: Pair, images: Iterator[Image]) -> tuple[int, int, dict[str, float]]:
    """Judge images in both profiles both ways; how many, how many good, greatest differences."""
    count = good = 0
    greatest: dict[str, float] = defaultdict(float)
    for image, profile in product(images, (Profile.PASSIVE, Profile.ACTIVE)):
        alone, mixed = (pair[name].estimate(image, profile) for name in ("cpu", "openvino"))
        verdicts = [(told.errors, told.stage, told.face, told.glasses) for told in (alone, mixed)]
        assert verdicts[0] == verdicts[1]
        for name in MEASURES:
            before, after = (dict(numbers(name, getattr(told, name))) for told in (alone, mixed))
            assert before.keys() == after.keys()
            for measure, value in before.items():
                greatest[measure] = max(greatest[measure], abs(after[measure] - value))
        count += 1
        good += alone.ok
    return count, good, greatest


def tell(what: str, count: int, good: int, greatest: dict[str, float]) -> None:
    """Print what was compared and hold every difference to its bound."""
    print(f"{what}: {count} judgements, {good} without a fault; greatest differences:")
    for name, difference in greatest.items():
        print(f"  {name}: {difference:.2g}")
        assert difference <= (MOST_DEGREES if name.startswith("head_pose") else MOST), name


def test_real_pictures(pair: Pair, media: Path) -> None:
    """Every still and every frame of every clip: no verdict changes, no measure does visibly."""
    files = sorted(path for path in media.rglob("*") if path.suffix in (".jpg", ".png", ".gif"))
    images = (image for path in files for image in frames(path))
    count, good, greatest = compare(pair, images)
    tell(f"{len(files)} files", count, good, greatest)
    assert good
    assert greatest["liveness.score"] > 0, "both ran the same networks"


def test_synthetic_person(pair: Pair, models_directory: Path) -> None:
    """The same for the synthetic person, with all gestures and what people do wrong."""
    pytest.importorskip("skimage", reason="scikit-image (extra demo) is not installed")
    config = Config(MODELS=ModelsSection(directory=str(models_directory)))
    shown = Gallery.render(make_person(None, config).render_jpeg).frames
    pictures = (np.frombuffer(jpeg, np.uint8) for jpeg in shown)
    images = (np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8) for data in pictures)
    tell("gallery", *compare(pair, images))
