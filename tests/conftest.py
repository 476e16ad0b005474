"""Fixtures for the tests of every package: models, real images and a portrait."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from inference_pool.models.manifest import load_manifest
from inference_pool.models.pulling.variants import verified_variant
from shared.frame.estimation import Image
from tests.support.fallback import fallback_set

ROOT = Path(__file__).parents[1]

# The duration of an example depends more on the machine than on the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


LONGEST = ("inference_pool/oip", "machines", "e2e", "chaos", "video_builder", "kiosk")
"""Folders whose files take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, so that no process runs one alone at the end."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        return next((n for n, folder in enumerate(LONGEST) if path.startswith(folder)), 99)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def models_directory() -> Path:
    """The folder with the reference models; tests that need it are skipped without it."""
    needed = [spec.file for spec in load_manifest().reference.values() if spec.required]
    named = os.environ.get("LUNAPASS_MODEL_SOURCE")
    places = [Path(named)] if named else []
    places += [ROOT.parent / "shared" / "models", ROOT / "models"]
    for place in places:
        if all((place / file).is_file() for file in needed):
            return place
    tried = ", ".join(map(str, places))
    pytest.skip(f"no folder with the reference models; tried {tried} ($LUNAPASS_MODEL_SOURCE)")


@pytest.fixture(scope="session")
def pulled_models(models_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference models as ``lunapass models pull`` leaves them, with the detector's variant."""
    folder = tmp_path_factory.mktemp("pulled")
    for spec in load_manifest().reference.values():
        if (models_directory / spec.file).is_file():
            (folder / spec.file).symlink_to(models_directory / spec.file)
    detector = load_manifest().reference["detector"]
    assert detector.rewrite
    assert detector.variant
    original = (folder / detector.file).read_bytes()
    variant = verified_variant(original, detector.rewrite, detector.file)
    (folder / detector.variant).write_bytes(variant)
    return folder


@pytest.fixture(scope="session")
def fallback_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A read-only folder with the fallback models; tests are skipped if they cannot be fetched."""
    own = tmp_path_factory.getbasetemp()
    return fallback_set(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real images; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip(f"no folder of real pictures at {folder}")
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of images from the field; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip(f"no folder of pictures from the field at {folder}")
    return folder


@pytest.fixture(scope="session")
def portrait() -> Image:
    """NASA's portrait of Eileen Collins as a 640x480 camera would capture it; read-only."""
    data = pytest.importorskip("skimage.data", reason="scikit-image (extra demo) is not installed")
    bgr = data.astronaut()[10:190, 100:340, ::-1]
    frame = np.asarray(cv2.resize(bgr, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)
    frame.flags.writeable = False
    return frame
