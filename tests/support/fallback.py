"""The fallback models for tests, if this machine can build them."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from inference_pool.models.manifest import load_manifest
from inference_pool.models.pulling.fallback import make
from shared.errors import ModelError


def fallback_set(run_folder: Path) -> Path:
    """Return the folder of the fallback set, built once for all processes of a test run.

    The packages that it is built from have 60 MB. The test skips if they cannot be fetched.

    Args:
        run_folder: the same folder for every process of the run.
    """
    folder = run_folder / "fallback-models"
    with (run_folder / "fallback-models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = run_folder / "fallback-models.unfinished"
            unfinished.mkdir(exist_ok=True)
            _build(unfinished)
            unfinished.rename(folder)
    return folder


def _build(folder: Path) -> None:
    try:
        for spec, data in make(list(load_manifest().fallback.values())):
            (folder / spec.file).write_bytes(data)
    except ModelError as error:
        if "cannot be fetched" in str(error) or "not installed" in str(error):
            pytest.skip(f"the fallback models cannot be built on this machine: {error}")
        raise
