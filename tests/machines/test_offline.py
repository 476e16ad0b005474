"""The archive installs, upgrades and rolls back without a network; the demonstration runs there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import KEY, ROOT

pytestmark = pytest.mark.timeout(900)  # an install unpacks 260 MB, and tests install several times
NO_NETWORK = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked archive; built here unless $LUNAPASS_ARCHIVE names one."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("no namespace without network: needs root, util-linux and iproute2")
    folder = tmp_path_factory.mktemp("archive")
    packed = os.environ.get("LUNAPASS_ARCHIVE")
    if packed is None:
        command = [sys.executable, "-m", "deploy.wheelhouse", "--output", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True)
        packed = str(next(folder.glob("*.tar")))
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def root(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root folder with a first release in it."""
    folder = tmp_path_factory.mktemp("root")
    done = install(archive, folder)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)


def install(archive: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the installer without a network."""
    program = [str(archive / "install.sh"), "--root", str(root), "--python", sys.executable]
    return offline(*program, *options)


def offline(*command: str, cwd: Path = ROOT.parent) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return subprocess.run(
        [*NO_NETWORK, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def release(root: Path) -> str:
    return (root / "opt/lunapass/current").readlink().name


def test_there_is_no_network() -> None:
    """The namespace of these tests reaches nothing, or they would prove nothing."""
    reach = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    assert "unreachable" in offline(sys.executable, "-c", reach).stderr


def test_the_demonstration_runs(root: Path, tmp_path: Path) -> None:
    """It does what ``make demo`` does, with the installed program alone."""
    current = root / "opt/lunapass/current"
    program = [str(current / "venv/bin/lunapass"), "demo", "--models", str(current / "models")]
    done = offline(*program, "--output", str(tmp_path / "demo"), cwd=tmp_path)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "token verified" in done.stdout
    assert (tmp_path / "demo/bestshot.jpg").stat().st_size > 1000


def test_the_configuration_has_a_new_key(root: Path) -> None:
    """It is accepted in production, and no other user can read it."""
    config = root / "etc/lunapass/lunapassapi.config.toml"
    assert config.stat().st_mode & 0o077 == 0
    program = str(root / "opt/lunapass/current/venv/bin/lunapass")
    done = offline(program, "config", "check", str(config))
    assert (done.returncode, "valid" in done.stdout) == (0, True), done.stderr


def test_a_configuration_of_luna_pass_finds_the_models(root: Path, tmp_path: Path) -> None:
    """It has no key for them, and the units' working directory has no models."""
    config = tmp_path / "lunapassapi.config.toml"
    original = ROOT / "tests/lunapass/migration/originals/manual-service.toml"
    config.write_text(original.read_text().replace('"secret"', f'"{KEY}"'))
    program = str(root / "opt/lunapass/current/venv/bin/lunapass")
    done = offline(program, "config", "check", str(config), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_upgrade_can_be_rolled_back(archive: Path, root: Path) -> None:
    """The second release is installed beside the first; the rollback needs no archive."""
    key = (root / "etc/lunapass/lunapassapi.config.toml").read_text()
    assert release(root) == "1"
    done = install(archive, root)
    assert done.returncode == 0, done.stderr
    assert release(root) == "2"
    assert (root / "etc/lunapass/lunapassapi.config.toml").read_text() == key
    assert install(archive, root, "--rollback").returncode == 0
    assert release(root) == "1"
    assert "no release before" in install(archive, root, "--rollback").stderr
    assert offline(str(root / "opt/lunapass/current/venv/bin/lunapass"), "--version").stdout


def test_a_rejected_configuration_changes_nothing(archive: Path, root: Path) -> None:
    """A release that could not start is not switched to, and leaves no folder.

    The rolled-back release is removed by the next install.
    """
    config = root / "etc/lunapass/lunapassapi.config.toml"
    good = config.read_text()
    now = release(root)
    config.write_text(f"{good}\n[NO_SUCH_SECTION]\n")
    done = install(archive, root)
    config.write_text(good)
    assert done.returncode != 0
    assert "NO_SUCH_SECTION" in done.stderr
    assert release(root) == now
    assert [path.name for path in (root / "opt/lunapass/releases").iterdir()] == [now]


def test_a_damaged_archive_is_refused(archive: Path, root: Path) -> None:
    """One changed byte of a model prevents the installation."""
    model = archive / "models/yunet_s_320_320.onnx"
    good = model.read_bytes()
    model.write_bytes(good[:-1] + b"!")
    done = install(archive, root)
    model.write_bytes(good)
    assert done.returncode == 1
    assert "damaged" in done.stderr
