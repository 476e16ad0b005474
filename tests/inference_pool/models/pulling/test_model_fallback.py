"""The fallback set is converted from the pinned package to pinned bytes, and detects faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference_pool.models.manifest import Kind, load_manifest
from inference_pool.models.pulling.fallback import (
    HUMAN,
    RECIPES,
    PackageArchive,
    fetch_package,
    make,
)
from inference_pool.models.store import ModelStore
from shared.errors import ModelError

FALLBACK = load_manifest().fallback


def test_recipe_for_each_network():
    """Every network of the fallback set has a recipe, and no recipe is left over."""
    networks = {role for role, spec in FALLBACK.items() if spec.file.endswith(".onnx")}
    assert networks == set(RECIPES)


def test_other_package_is_refused(tmp_path):
    """An archive that is not the pinned one is not even opened."""
    (tmp_path / "package.tgz").write_bytes(b"something else")
    with pytest.raises(ModelError, match="found sha512"):
        PackageArchive(HUMAN, tmp_path / "package.tgz")


def test_no_npm_client(tmp_path, monkeypatch):
    """The error names what is missing and the alternative."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"npm client, which is not installed.*--from DIR\|URL"):
        fetch_package(HUMAN, tmp_path)


@pytest.mark.parametrize("script", ["echo E404 not there >&2; exit 1", "exit 0"])
def test_npm_client_fails(tmp_path, monkeypatch, script):
    """A client that fails, or leaves no archive, gives a one-line error."""
    client = tmp_path / "npm"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(
        ModelError, match=r"npm package .*(E404 not there|left 0 archives)"
    ) as caught:
        fetch_package(HUMAN, tmp_path)
    assert "\n" not in str(caught.value)


def test_bundled_file_needs_no_package(monkeypatch, tmp_path):
    """The canonical face is part of this project."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ((spec, data),) = make([FALLBACK["canonical"]])
    (tmp_path / spec.file).write_bytes(data)
    store = ModelStore(tmp_path, manifest=only("canonical"))
    assert store.path("canonical").read_bytes() == data


def only(role: str):
    return load_manifest().model_copy(update={"fallback": {role: FALLBACK[role]}})


def test_the_set_is_built_to_the_pinned_bytes(fallback_models):
    """Each file has the hash of the manifest."""
    store = ModelStore(fallback_models)
    assert store.kind is Kind.FALLBACK
    for role in FALLBACK:
        assert store.path(role).is_file()


@pytest.mark.parametrize("role", ["mesh", "iris"])
def test_same_numbers_as_the_reference(fallback_models, models_directory, role):
    """Mesh and iris are the reference networks, converted in another way."""
    outputs = []
    for folder in (models_directory, fallback_models):
        session = ModelStore(folder).session(role)
        tensor = session.get_inputs()[0]
        image = np.random.default_rng(0).random(tensor.shape, np.float32)
        outputs.append([output.ravel() for output in session.run(None, {tensor.name: image})])
    for reference, fallback in zip(*outputs, strict=True):
        np.testing.assert_allclose(fallback, reference, atol=2e-3)


def vertices(path: Path) -> np.ndarray:
    rows = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("v ")]
    return np.array(rows, float)


def test_canonical_face_has_the_pose_of_the_reference(fallback_models, models_directory):
    """Both canonical faces have the same points and the same orientation, to 0.3 degrees."""
    faces = [
        vertices(ModelStore(folder).path("canonical"))
        for folder in (models_directory, fallback_models)
    ]
    reference, fallback = (face - face.mean(axis=0) for face in faces)
    u, _, vt = np.linalg.svd(fallback.T @ reference)
    angle = np.degrees(np.arccos(np.clip((np.trace(u @ vt) - 1) / 2, -1, 1)))
    assert angle < 0.3
    assert np.linalg.norm(fallback - reference) < 0.15 * np.linalg.norm(reference)
