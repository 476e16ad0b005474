"""A machine under a real systemd: namespaces on this one, ended with the test."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_port
from tests.support.service import KEY, ROOT, http_get
from tests.support.waiting import SECONDS

SOURCE = "/opt/lunapass/src"
PYTHON = f"/opt/lunapass/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = Path(sysconfig.get_path("purelib")).resolve()
CONFIG = "/etc/lunapass/lunapassapi.config.toml"
UNITS = "/etc/systemd/system"
LOG_FILE = "/var/log/lunapass/service.log"
"""In the folder that the units create."""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.1)


@dataclass
class Machine:
    """A running systemd.

    Attributes:
        pid: its process 1, as seen from outside.
        port: port of the service.
        etc: the folder of the service's configuration.
    """

    pid: int
    port: int
    etc: Path

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on the machine; return its output."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-m", "-p", "--", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment(), "SYSTEMD_PAGER": ""},
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def lunapass(self, *arguments: str) -> str:
        return self.run(PYTHON, "-m", "lunapass", *arguments)

    def systemctl(self, *arguments: str) -> str:
        return self.run("systemctl", *arguments)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def active(self, unit: str) -> bool:
        return self.show(unit, "ActiveState") == "active"

    def inactive(self, unit: str) -> bool:
        return self.show(unit, "ActiveState") == "inactive"

    def pid_of(self, unit: str) -> int:
        """Return a unit's main process, as seen from outside."""
        inside = self.show(unit, "MainPID")
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):  # the process has just ended
                numbers = re.search(r"^NSpid:\t(.+)$", status.read_text(), re.M)
                if numbers and numbers[1].split()[-1] == inside and self._has(status.parent.name):
                    return int(status.parent.name)
        raise AssertionError(f"no process of {unit}")

    def _has(self, pid: str) -> bool:
        return Path(f"/proc/{pid}/ns/pid").readlink() == Path(f"/proc/{self.pid}/ns/pid").readlink()

    def as_unit(self, unit: str, *command: str) -> str:
        """Run a command as a unit's user, where the unit sees its files; return its output."""
        pid = self.pid_of(unit)
        status = Path(f"/proc/{pid}/status").read_text()
        user, group = (re.search(rf"^{name}:\t(\d+)", status, re.M) for name in ("Uid", "Gid"))
        assert user is not None
        assert group is not None
        assert int(user[1]) != 0
        enter = ["nsenter", "-t", str(pid), "-m", "-S", user[1], "-G", group[1], "--"]
        done = subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    def kill(self, unit: str, signal: str) -> None:
        """Send a signal to a unit's main process."""
        self.systemctl("kill", "--kill-who=main", f"--signal={signal}", unit)

    def restarted(self, unit: str, before: int) -> bool:
        """Whether a unit is back after more restarts than before."""
        return int(self.show(unit, "NRestarts")) > before and self.active(unit)

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return http_get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        return False

    def log(self) -> str:
        path = self.etc / "log"
        return path.read_text() if path.exists() else ""

    def configure(self, settings: str = "", *, port: int | None = None) -> None:
        """Write the service's configuration."""
        (self.etc / "lunapassapi.config.toml").write_text(
            f"""
[LUNA_PASS]
env = "development"
host = "127.0.0.1"
port = {port or self.port}
logFile = "{LOG_FILE}"
[LUNA_PASS.JWT]
key = "{KEY}"
[WORKERS]
backend = "tests.support.stamp:StampBackend"
[LIMITS]
connectTimeout = 60
frameDeadline = 60
drainSeconds = 8
{settings}
"""
        )


def environment() -> dict[str, str]:
    """Return the variables by which the machine's Python finds its library and its packages."""
    return {
        "LD_LIBRARY_PATH": "/opt/lunapass/python/lib",
        "PYTHONPATH": f"{SOURCE}:{SOURCE}/{PACKAGES.relative_to(ROOT)}",
    }


def missing() -> str | None:
    """Return what this machine lacks to run another one; None if nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/lib/systemd/systemd").exists():
        return "needs systemd"
    if not PACKAGES.is_relative_to(ROOT):
        return "needs the packages in a folder below the source"
    lacking = [name for name in ("unshare", "nsenter", "systemctl") if not shutil.which(name)]
    if lacking:
        return f"needs {', '.join(lacking)}"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False)
    return None if probe.returncode == 0 else "namespaces are not allowed here"


@contextlib.contextmanager
def booted(etc: Path) -> Iterator[Machine]:
    """Boot a machine; everything on it ends with the block."""
    if (reason := missing()) is not None:
        pytest.skip(f"no systemd in namespaces: {reason}")
    etc.chmod(0o755)
    flags = ["--mount", "--pid", "--fork", "--mount-proc", "--uts", "--ipc"]
    group = f"lunapass-{uuid.uuid4().hex}"
    boot = [str(ROOT / "tests/machines/boot.sh"), str(ROOT), sys.base_prefix, str(etc), group]
    with (etc / "console").open("wb") as console:
        shell = subprocess.Popen(
            ["unshare", *flags, "--kill-child", "bash", *boot],
            stdout=console,
            stderr=console,
            env={**os.environ, **environment()},
        )
        try:
            machine = Machine(_first_process(shell), free_port(), etc)
            wait_until(
                lambda: "running" in machine.run("systemctl", "is-system-running", check=False),
                "systemd",
            )
            yield machine
        finally:
            shell.kill()  # with --kill-child process 1 and all others end, too
            shell.wait(30)
            _remove_groups(group)
            sys.stdout.write((etc / "console").read_text())


def _remove_groups(group: str) -> None:
    """Remove the control groups of a machine whose processes were killed."""
    script = """
        mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup
        for try in $(seq 50); do
            find "$1" -depth -type d -exec rmdir {} + && exit
            sleep 0.1
        done
    """
    command = ["unshare", "--mount", "sh", "-c", script, "sh", group]
    subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60, check=False)


def _first_process(shell: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children")
    wait_until(lambda: bool(children.read_text().split()), "the namespace")
    return int(children.read_text().split()[0])
