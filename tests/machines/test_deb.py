"""The Debian package under a real systemd: installed, upgraded, removed and purged by dpkg.

The program is this checkout's; ``make deb`` installs the wheels instead.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import deb
from tests.machines.machine import CONFIG, PYTHON, UNITS, Machine, booted, wait_until
from tests.support.service import KEY, ROOT

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, (deb.PYTHON, "dpkg-deb", "deb-systemd-helper"))),
    reason=f"no dpkg-deb, deb-systemd-helper or {deb.PYTHON}, which Debian packages need",
)
GATEWAY, SOCKET = "lunapass-gateway@0.service", "lunapass-gateway@0.socket"
SIGNING_KEY = deb.SIGNING_KEY.removeprefix("file:")
VIDEO_TASK = "/etc/lunapass/lunapassvideo.task.py"
OWN_DROP_IN = f"{UNITS}/{GATEWAY}.d/50-own.conf"
NEW = "# a line of the new version\n"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without the service: no user, no configuration, an empty database of dpkg."""
    with booted(tmp_path_factory.mktemp("etc")) as started:
        started.run("umount", "/etc/lunapass")
        started.run("rmdir", "/etc/lunapass")
        started.run("userdel", "lunapass")
        started.run("rm", "-f", "/usr/sbin/policy-rc.d")  # forbids all starts
        started.run("mkdir", "-p", "/var/lib/dpkg/info", "/var/lib/dpkg/updates")
        started.run("touch", "/var/lib/dpkg/status")
        try:
            yield started
        finally:
            print(started.log())


def package(machine: Machine, version: str, addition: str = "") -> str:
    """Build a package, with an addition to its conffiles; return its path on the machine."""
    root = machine.etc / version
    program = root / deb.PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {PYTHON} -m lunapass "$@"\n')
    machine.configure()
    config = (machine.etc / "lunapassapi.config.toml").read_text()
    deb.add_files(root, addition + config.replace(KEY, deb.SIGNING_KEY))
    with (root / VIDEO_TASK.removeprefix("/")).open("a") as task:
        task.write(addition)
    return f"/opt/lunapass/etc/{deb.pack(root, version, machine.etc, ['-Znone']).name}"


def dpkg(machine: Machine, *arguments: str, check: bool = True) -> str:
    """Run dpkg, which has no other package in its database there."""
    force = "--force-depends,confold,unsafe-io"
    return machine.run("dpkg", force, "--no-triggers", *arguments, check=check)


def content(machine: Machine, path: str) -> str:
    return machine.run("cat", path)


def mode(machine: Machine, path: str) -> str:
    return machine.run("stat", "--format=%a %U %G", path).strip()


def named_after_the_service(machine: Machine) -> list[str]:
    """Return files, folders and links that were written to the machine."""
    written = ("/opt/over/etc/upper", "/opt/over/usr/upper")  # boot.sh
    folders = (*written, UNITS, "/run", "/var")
    return machine.run("find", *folders, "-name", "*lunapass*").split()


def test_the_package_is_installed_upgraded_removed_and_purged(machine: Machine) -> None:
    """This is one test, because each step starts with the result of the previous one."""
    first, second = package(machine, "1.0-1"), package(machine, "2.0-1", NEW)
    refused_beside_an_archive_install(machine, first)
    installed(machine, first)
    sessions_erased(machine)
    upgraded(machine, second)
    removed(machine)
    purged(machine)


def refused_beside_an_archive_install(machine: Machine, deb_file: str) -> None:
    machine.run("touch", "/opt/lunapass/current")
    assert "remove it first" in dpkg(machine, "--install", deb_file, check=False)
    machine.run("rm", "/opt/lunapass/current")
    assert not named_after_the_service(machine)


def installed(machine: Machine, deb_file: str) -> None:
    """The service runs, with its own key, and only root can read its configuration."""
    print(dpkg(machine, "--install", deb_file))
    wait_until(machine.ready, "the service")
    assert "/lib/systemd/system/" in machine.show(GATEWAY, "FragmentPath")
    assert machine.show("lunapass.target", "UnitFileState") == "enabled"
    assert machine.run("find", UNITS, "-maxdepth", "1", "-name", "lunapass*", "-type", "f") == ""
    assert len(content(machine, SIGNING_KEY)) > 64
    assert mode(machine, SIGNING_KEY) == mode(machine, CONFIG) == "600 root root"
    assert mode(machine, VIDEO_TASK) == "640 root lunapass"
    assert machine.run("dpkg", "--verify", deb.PACKAGE) == ""


def sessions_erased(machine: Machine) -> None:
    """The documented command works: the service's folders are not those of the shell."""
    text = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"^sudo (lunapass erase .* --session (\w{32}))$", text, re.M)
    assert found is not None
    write(machine, f"/var/lib/lunapass/LOGS/{found[2]}/1.jpg", "")
    write(machine, f"/run/lunapass/0/quarantine/{found[2]}-1", "")
    assert f"{found[2]}: FileLogger, quarantine\n" in machine.run("sh", "-c", found[1])


def upgraded(machine: Machine, deb_file: str) -> None:
    """An edited file stays, another is replaced; an invalid one leaves the old roles running."""
    key, edited = content(machine, SIGNING_KEY), content(machine, CONFIG) + "# edited\n"
    pid = machine.show(GATEWAY, "MainPID")
    write(machine, CONFIG, f"{edited}[NO_SUCH_SECTION]\n")
    write(machine, OWN_DROP_IN, "[Service]\nEnvironment=OWN=1\n")
    assert "NO_SUCH_SECTION" in dpkg(machine, "--install", deb_file, check=False)
    wait_until(machine.ready, "the service")
    assert machine.show(GATEWAY, "MainPID") == pid
    write(machine, CONFIG, edited)
    dpkg(machine, "--configure", deb.PACKAGE)
    wait_until(machine.ready, "the service")
    assert machine.show(GATEWAY, "MainPID") not in (pid, "0")
    assert content(machine, CONFIG) == edited
    assert content(machine, f"{CONFIG}.dpkg-dist").startswith(NEW)
    assert content(machine, VIDEO_TASK).endswith(NEW)
    assert content(machine, SIGNING_KEY) == key
    assert mode(machine, VIDEO_TASK) == "640 root lunapass"


def removed(machine: Machine) -> None:
    """Nothing runs and nothing can be started; configuration and data stay."""
    data = "/var/lib/lunapass/video.mkv"
    write(machine, data, "")
    dpkg(machine, "--remove", deb.PACKAGE)
    for unit in (GATEWAY, SOCKET):
        assert machine.inactive(unit)
    assert "masked" in machine.show("lunapass.target", "LoadState")
    for path in (CONFIG, SIGNING_KEY, data, OWN_DROP_IN):
        machine.run("test", "-e", path)
    assert "10-lunapass.conf" not in machine.run("find", UNITS)
    for path in ("/usr/lib/lunapass", "/run/lunapass"):
        machine.run("test", "!", "-e", path)


def purged(machine: Machine) -> None:
    """Only the administrator's own drop-in and the locked user stay."""
    dpkg(machine, "--purge", deb.PACKAGE)
    assert named_after_the_service(machine) == [str(Path(OWN_DROP_IN).parent)]
    assert machine.run("passwd", "--status", "lunapass").split()[:2] == ["lunapass", "L"]


def write(machine: Machine, path: str, text: str) -> None:
    machine.run("mkdir", "-p", str(Path(path).parent))
    machine.run("sh", "-c", 'printf %s "$1" >"$0"', path, text)
