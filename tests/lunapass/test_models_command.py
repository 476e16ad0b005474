"""``lunapass models`` reports what it did; errors are one line with status 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inference_pool.models.manifest import load_manifest
from tests.support.command import Ended, lunapass

REFERENCE = load_manifest().reference


def models(*arguments: object) -> Ended:
    return lunapass("models", *arguments)


def refused(run: Ended) -> str:
    """Return the one line of a refused run."""
    assert run.returncode == 2
    (line,) = [line for line in run.stderr.splitlines() if line.strip()]
    assert line.startswith("lunapass: ")
    return line


@pytest.fixture(scope="module")
def pulled_once(tmp_path_factory: pytest.TempPathFactory, models_directory: Path) -> Path:
    """A directory pulled from the reference models; read only."""
    folder = tmp_path_factory.mktemp("pulled") / "models"
    run = models("pull", "--from", models_directory, "--directory", folder)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture
def pulled(pulled_once: Path, tmp_path: Path) -> Path:
    """Its copy, which a test may change."""
    return shutil.copytree(pulled_once, tmp_path / "models")


def test_pull_list_verify(pulled):
    """A pulled set is listed as verified, variants included, and verifies."""
    listed = models("list", "--directory", pulled)
    assert listed.returncode == 0
    for role, spec in REFERENCE.items():
        (row,) = [line for line in listed.stdout.splitlines() if line.split()[:1] == [role]]
        if spec.on_request:
            assert "(on request)" in row
        else:
            assert row.count("verified") == 1 + (spec.variant is not None)
    verified = models("verify", "--directory", pulled)
    assert verified.returncode == 0
    assert "of the reference set" in verified.stdout


@pytest.mark.parametrize("name", ["iris_landmark_64.onnx", "iris_landmark_64.prelu.onnx"])
def test_verify_reports_a_different_file(pulled, name):
    """A changed file, original or variant, is named with its role and expected hash."""
    with (pulled / name).open("ab") as file:
        file.write(b"x")
    line = refused(models("verify", "--directory", pulled))
    for part in ("model iris", name, "different", "lunapass models pull"):
        assert part in line


def test_verify_reports_a_missing_file(pulled):
    """A missing required file is refused; a missing optional one is not."""
    (pulled / "glasses_mnv3s_64x128.onnx").unlink(missing_ok=True)
    assert models("verify", "--directory", pulled).returncode == 0
    (pulled / "mobilefacenet_112.onnx").unlink()
    assert "model descriptor" in refused(models("verify", "--directory", pulled))


def test_verify_an_empty_directory(tmp_path):
    """An empty folder is reported as the first missing model."""
    line = refused(models("verify", "--directory", tmp_path))
    assert "model detector" in line
    assert "missing" in line


def test_pull_from_an_empty_folder(tmp_path):
    """A named source without the models is an error, and no other source is tried."""
    (tmp_path / "empty").mkdir()
    run = models("pull", "--from", tmp_path / "empty", "--directory", tmp_path / "models")
    assert "yunet_s_320_320.onnx" in refused(run)
    assert list((tmp_path / "models").iterdir()) == []


def test_fallback_says_that_liveness_is_weak(fallback_models, tmp_path):
    """Pulling the fallback set reports what it lacks."""
    shutil.copytree(fallback_models, tmp_path, dirs_exist_ok=True)
    run = models("pull", "--fallback", "--directory", tmp_path)
    assert run.returncode == 0
    assert "passive liveness is weak" in " ".join(run.stderr.split())
    assert "ActiveLiveness" in run.stderr
    listed = models("list", "--directory", tmp_path)
    assert "fallback models" in listed.stdout
