"""Limits of control groups, from the kernel's files of both versions, also in containers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.process.cgroups import ControlGroups
from tests.support.cgroups import control_group

GIGABYTE = 1_000_000_000


class Machine:
    """A folder with copies of the kernel's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.proc = folder / "proc"
        self.proc.mkdir()
        self._mounts: list[str] = []

    def mount(self, name: str, kind: str, options: str, root: str = "/") -> Path:
        point = self.folder / name
        point.mkdir(parents=True)
        shown = str(point).replace(" ", "\\040")
        self._mounts.append(f"30 20 0:25 {root} {shown} rw,nosuid - {kind} {kind} {options}")
        (self.proc / "mountinfo").write_text("\n".join(self._mounts))
        return point

    def groups(self, *lines: str) -> ControlGroups:
        (self.proc / "cgroup").write_text("\n".join(lines))
        return ControlGroups(self.proc, self.folder / "vmstat")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "with a blank"
    folder.mkdir()
    return Machine(folder)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_version_2(machine: Machine) -> None:
    """A service's slice: quota, limit and OOM kills of its own group."""
    root = machine.mount("cgroup", "cgroup2", "rw,nsdelegate")
    own = root / "system.slice" / "lunapass.service"
    events = "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0"
    write(own, cpu__max="150000 100000", memory__max=str(GIGABYTE), memory__events=events)
    groups = machine.groups("0::/system.slice/lunapass.service")
    assert (groups.cpus(), groups.memory(), groups.oom_kills()) == (1.5, GIGABYTE, 2)


def test_the_lowest_limit_of_all_parents_applies(machine: Machine) -> None:
    """A group may allow more than its parent, whose limit applies."""
    root = machine.mount("cgroup", "cgroup2", "rw")
    write(root / "tight", cpu__max="200000 100000", memory__max="max")
    write(root / "tight" / "loose", cpu__max="max 100000", memory__max=str(3 * GIGABYTE))
    write(root / "tight" / "loose" / "own", cpu__max="800000 100000", memory__max="max")
    groups = machine.groups("0::/tight/loose/own")
    assert (groups.cpus(), groups.memory()) == (2.0, 3 * GIGABYTE)


def test_version_1(machine: Machine) -> None:
    """Each controller has its own hierarchy; -1 and a huge number mean no limit."""
    cpu = machine.mount("cpu,cpuacct", "cgroup", "rw,cpu,cpuacct")
    memory = machine.mount("memory", "cgroup", "rw,memory")
    write(cpu, **{"cpu__cfs_quota_us": "-1", "cpu__cfs_period_us": "100000"})
    write(cpu / "docker", **{"cpu__cfs_quota_us": "50000", "cpu__cfs_period_us": "100000"})
    write(memory, memory__limit_in_bytes="9223372036854771712")
    killed = "oom_kill_disable 0\nunder_oom 0\noom_kill 1"
    write(memory / "docker", memory__limit_in_bytes=str(GIGABYTE), memory__oom_control=killed)
    groups = machine.groups("4:memory:/docker", "3:cpu,cpuacct:/docker", "1:name=systemd:/docker")
    assert (groups.cpus(), groups.memory(), groups.oom_kills()) == (0.5, GIGABYTE, 1)
    assert machine.groups("4:memory:/", "3:cpu,cpuacct:/").cpus() is None
    assert machine.groups("4:memory:/", "3:cpu,cpuacct:/").memory() is None


@pytest.mark.parametrize(
    ("root", "group"),
    [("/", "/"), ("/docker/4f2", "/docker/4f2"), ("/", "/../../docker/4f2"), ("/pod", "/other")],
)
def test_in_a_container_the_own_group_is_at_the_top(
    machine: Machine, root: str, group: str
) -> None:
    """The path of the group may be the container's or the host's."""
    point = machine.mount("cgroup", "cgroup2", "rw", root)
    write(point, cpu__max="300000 100000", memory__max=str(GIGABYTE))
    groups = machine.groups(f"0::{group}")
    assert (groups.cpus(), groups.memory()) == (3.0, GIGABYTE)


def test_a_machine_without_control_groups_has_no_limit(machine: Machine) -> None:
    """The same holds without a mount or content in the files."""
    for groups in (ControlGroups(machine.proc, machine.proc / "none"), machine.groups("0::/own")):
        assert (groups.cpus(), groups.memory(), groups.oom_kills()) == (None, None, 0)
    root = machine.mount("cgroup", "cgroup2", "rw")
    write(root / "own", cpu__max="", memory__max="what")
    groups = machine.groups("0::/own", "nonsense")
    assert (groups.cpus(), groups.memory()) == (None, None)


def test_kills_of_the_machine_are_counted_without_a_group_counter(machine: Machine) -> None:
    """The root group of version 2 has none, for example."""
    write(machine.folder, vmstat="pgfault 9\noom_kill 5\nswap_ra 0")
    machine.mount("cgroup", "cgroup2", "rw")
    assert machine.groups("0::/").oom_kills() == 5


def test_the_files_of_this_kernel_are_read() -> None:
    """Quota and limit of a real group, read by a process in it."""
    code = "from shared.process.cgroups import ControlGroups as C; print(C().cpus(), C().memory())"
    command = [sys.executable, "-c", code]
    with (
        control_group("cpu", cfs_period_us=100_000, cfs_quota_us=50_000) as slow,
        control_group("memory", limit_in_bytes=500 * 2**20) as small,
    ):
        result = subprocess.run(
            [*slow, *small, *command], capture_output=True, text=True, check=True
        )
    assert result.stdout.split() == ["0.5", str(500 * 2**20)]
