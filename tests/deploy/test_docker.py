"""The image is built where a Docker daemon is at hand."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.service import ROOT


def test_the_image_starts() -> None:
    """It builds, and its program tells its version."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker daemon")
    build = ["docker", "build", "--quiet", "--file", "deploy/docker/Dockerfile", "."]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=True)
    run = ["docker", "run", "--rm", built.stdout.strip(), "lunapass", "--version"]
    assert "lunapass" in subprocess.run(run, capture_output=True, text=True, check=True).stdout
