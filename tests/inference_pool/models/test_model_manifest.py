"""The manifest names every file's origin and hash."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from inference_pool.models.manifest import Kind, Manifest, load_manifest


def test_roles():
    """The reference set has every role.

    The fallback set has some of them, with its own liveness.
    """
    manifest = load_manifest()
    assert set(manifest.models(Kind.REFERENCE)) == {
        "detector", "mesh", "canonical", "liveness_v2", "liveness_v1se", "iris", "descriptor",
        "glasses", "liveness_third",
    }  # fmt: skip
    assert set(manifest.models(Kind.FALLBACK)) == {
        "detector", "mesh", "iris", "canonical", "liveness_registry",
    }  # fmt: skip


def test_public_addresses_are_pinned():
    """Each address contains a commit; only optional models have no address."""
    for spec in load_manifest().reference.values():
        if spec.url is None:
            assert not spec.required
        else:
            assert re.search(r"/[0-9a-f]{40}/", spec.url)


def test_file_names_are_unique():
    """No file of one set can be mistaken for one of the other."""
    manifest = load_manifest()
    files = [spec.file for kind in Kind for spec in manifest.models(kind).values()]
    assert len(files) == len(set(files))


def test_name_cannot_leave_the_directory(manifest):
    """A file name with a path is refused."""
    entry = manifest.reference["detector"].model_dump() | {"file": "../detector.onnx"}
    with pytest.raises(ValidationError, match="file"):
        Manifest.model_validate({"reference": {"detector": entry}})
