"""The installer's own steps, tested quickly with an archive whose program is a stand-in.

``tests/machines/test_offline.py`` installs the real archive.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.wheelhouse import SUMS, checksums
from tests.support.service import ROOT

PIP = """
import os, pathlib, sys
program = pathlib.Path(sys.prefix, "bin", "lunapass")
release = pathlib.Path(sys.prefix).parent
program.write_text('''#!/bin/sh
case "$*" in
--version) echo lunapass {version} ;;
"config key") echo KEY-OF-ITS-OWN ;;
"config show --defaults") test ! -e {here}/broken || exit 1
    printf 'key = "secret"\\\\ndirectory = "models"\\\\n' ;;
"config check "*) ! grep -q "not-in-{version}$" "$3" ;;
esac
''')
program.chmod(0o755)
while os.path.exists("{here}/hold"):
    pass
"""
"""Stands in for pip: the program that it installs answers like ``lunapass``."""


def archive(folder: Path, version: str) -> Path:
    """Make an archive of a version."""
    here = folder / f"archive-{version}"
    pip = here / "wheels" / "pip-1.whl" / "pip"
    pip.mkdir(parents=True)
    (pip / "__main__.py").write_text(PIP.format(version=version, here=here))
    (here / "models").mkdir()
    (here / "models" / "face.onnx").write_text("weights")
    (here / "models" / "face.onnx").chmod(0o600)
    (here / "VERSION").write_text(version)
    (here / "EXTRAS").write_text("")
    script = here / "install.sh"
    script.write_bytes((ROOT / "deploy" / "install.sh").read_bytes())
    script.chmod(0o755)
    (here / SUMS).write_text(checksums(here))
    return here


def command(here: Path, root: Path, *options: str) -> list[str]:
    return [str(here / "install.sh"), "--root", str(root), "--python", sys.executable, *options]


def install(here: Path, root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(here, root, *options), capture_output=True, text=True, timeout=120, check=False
    )


def release(root: Path) -> str:
    return (root / "opt/lunapass/current").readlink().name


def config(root: Path) -> Path:
    return root / "etc/lunapass/lunapassapi.config.toml"


def killed_in_the_middle(here: Path, root: Path) -> None:
    """Install an archive, and kill the installer when its release is incomplete."""
    (here / "hold").touch()
    before = set((root / "opt/lunapass/releases").iterdir())
    process = subprocess.Popen(command(here, root), start_new_session=True)
    deadline = time.monotonic() + 60
    while not any(
        (new / "venv/bin/lunapass").exists()
        for new in set((root / "opt/lunapass/releases").iterdir()) - before
    ):
        assert time.monotonic() < deadline, "nothing is installed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (here / "hold").unlink()


def test_a_partial_release_is_never_rolled_back_to(tmp_path: Path) -> None:
    """After a power failure during an upgrade, the next one removes the partial release."""
    root = tmp_path / "root"
    first = archive(tmp_path, "1")
    assert install(first, root).returncode == 0
    killed_in_the_middle(archive(tmp_path, "2"), root)
    assert release(root) == "1"
    done = install(archive(tmp_path, "3"), root)
    assert done.returncode == 0, done.stderr
    back = install(first, root, "--rollback")
    assert back.returncode == 0, back.stderr
    assert "lunapass 1" in back.stdout


def test_a_rolled_back_release_is_skipped(tmp_path: Path) -> None:
    """If releases 2 and 3 are bad, rolling back from 3 leads to 1 and not to 2."""
    root = tmp_path / "root"
    first, second, third = (archive(tmp_path, version) for version in "123")
    for here in (first, second):
        assert install(here, root).returncode == 0
    assert "lunapass 1" in install(second, root, "--rollback").stdout
    assert "lunapass 3" in install(third, root).stdout
    assert "lunapass 1" in install(third, root, "--rollback").stdout


def test_a_rollback_checks_the_configuration_with_the_previous_release(tmp_path: Path) -> None:
    """If it does not accept the configuration, a rollback would leave nothing running."""
    root = tmp_path / "root"
    first, second = archive(tmp_path, "1"), archive(tmp_path, "2")
    assert install(first, root).returncode == install(second, root).returncode == 0
    with config(root).open("a") as file:
        file.write("# not-in-1\n")
    back = install(second, root, "--rollback")
    assert back.returncode == 1
    assert "rejects" in back.stderr
    assert release(root) == "2"


def test_the_key_is_on_no_command_line(tmp_path: Path) -> None:
    """Every user of a machine can read the arguments of every process."""
    calls = tmp_path / "calls"
    spy = tmp_path / "bin" / "sed"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >>{calls}\nexec /bin/sed "$@"\n')
    spy.chmod(0o755)
    root = tmp_path / "root"
    subprocess.run(
        command(archive(tmp_path, "1"), root),
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": f"{spy.parent}:{os.environ['PATH']}"},
    )
    assert "KEY-OF-ITS-OWN" in config(root).read_text()
    assert f'directory = "{root}/opt/lunapass/current/models"' in config(root).read_text()
    assert config(root).stat().st_mode & 0o077 == 0
    assert calls.read_text()
    assert "KEY-OF-ITS-OWN" not in calls.read_text()


def test_a_configuration_is_written_atomically(tmp_path: Path) -> None:
    """Later runs would take a partial file for the administrator's own."""
    here, root = archive(tmp_path, "1"), tmp_path / "root"
    (here / "broken").touch()
    assert install(here, root).returncode != 0
    assert not config(root).exists()
    (here / "broken").unlink()
    assert install(here, root).returncode == 0
    assert "KEY-OF-ITS-OWN" in config(root).read_text()


def test_the_services_user_can_read_the_models(tmp_path: Path) -> None:
    """The permissions in the archive, set by its builder's umask, do not matter."""
    root = tmp_path / "root"
    assert install(archive(tmp_path, "1"), root).returncode == 0
    model = root / "opt/lunapass/current/models/face.onnx"
    assert model.stat().st_mode & 0o777 == 0o644


def test_two_installers_do_not_run_at_once(tmp_path: Path) -> None:
    """The second one gets an error and changes nothing."""
    root = tmp_path / "root"
    assert install(archive(tmp_path, "1"), root).returncode == 0
    slow = archive(tmp_path, "2")
    (slow / "hold").touch()
    with subprocess.Popen(command(slow, root), stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (root / "opt/lunapass/releases/2/venv/bin/lunapass").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        other = install(archive(tmp_path, "3"), root)
        (slow / "hold").unlink()
        assert other.returncode == 1
        assert "another install.sh" in other.stderr
        assert process.wait(60) == 0
    assert release(root) == "2"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--root",), "needs a folder"),
        (("--root", ""), "needs a folder"),
        (("--root", "FILE/below"), "cannot create"),
    ],
)
def test_a_root_that_cannot_be_used_is_an_error(
    tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    """The script ends; only a loop reaches the time limit."""
    (tmp_path / "file").touch()
    given = [word.replace("FILE", str(tmp_path / "file")) for word in words]
    script = ROOT / "deploy" / "install.sh"
    done = subprocess.run([script, *given], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert reason in done.stderr


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    """A file system mounted there has a lost+found folder, for example."""
    root = tmp_path / "root"
    releases = root / "opt/lunapass/releases"
    for name in ("lost+found", "notes"):
        (releases / name).mkdir(parents=True)
    here = archive(tmp_path, "1")
    for number in range(1, 5):
        done = install(here, root)
        assert done.returncode == 0, done.stderr
        assert release(root) == str(number)
    assert sorted(path.name for path in releases.iterdir()) == [
        "2",
        "3",
        "4",
        "lost+found",
        "notes",
    ]
