"""Limits of this process's control groups (version 1 and 2): CPU time and memory.

A limit applies to a group and all groups below it, so the tightest limit on the way to the root is
in force. A container sees its own group as the root of the mounted hierarchy.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNBOUNDED = 2**60
"""Version 1 writes a number like 2^63 where memory has no limit."""


@dataclass(frozen=True)
class _Mount:
    """A mounted hierarchy.

    Attributes:
        point: where it is mounted.
        root: the group at the mount point.
        kind: ``cgroup2``, or ``cgroup`` for version 1.
        controllers: its controllers in version 1.
    """

    point: Path
    root: PurePosixPath
    kind: str
    controllers: frozenset[str]


class ControlGroups:
    """The control groups of one process.

    Args:
        process: its folder in ``/proc``.
        statistics: the kernel's counters for the whole machine.
    """

    def __init__(
        self, process: Path = Path("/proc/self"), statistics: Path = Path("/proc/vmstat")
    ) -> None:
        self._statistics = statistics
        self._mounts = list(_mounts(_text(process / "mountinfo")))
        self._groups = dict(_groups(_text(process / "cgroup")))

    def cpus(self) -> float | None:
        """Return the CPU quota in CPUs; None without a quota."""
        quotas = [*self._quotas_of_version_2(), *self._quotas_of_version_1()]
        return min(quotas, default=None)

    def memory(self) -> int | None:
        """Return the memory limit in bytes; None without a limit."""
        files = [folder / "memory.max" for folder in self._folders("")]
        files += [folder / "memory.limit_in_bytes" for folder in self._folders("memory")]
        limits = [limit for file in files if (limit := _number(_text(file))) is not None]
        return min((limit for limit in limits if limit < UNBOUNDED), default=None)

    def oom_kills(self) -> int:
        """Return how many processes the OOM killer has killed in the group.

        Where the group has no such counter, it is the number for the whole machine.
        """
        files = [folder / "memory.events" for folder in self._folders("")][:1]
        files += [folder / "memory.oom_control" for folder in self._folders("memory")][:1]
        for file in (*files, self._statistics):
            if found := re.search(r"^oom_kill (\d+)$", _text(file), re.MULTILINE):
                return int(found[1])
        return 0

    def _quotas_of_version_2(self) -> Iterator[float]:
        for folder in self._folders(""):
            quota, _, period = _text(folder / "cpu.max").partition(" ")
            yield from _ratio(quota, period)

    def _quotas_of_version_1(self) -> Iterator[float]:
        for folder in self._folders("cpu"):
            quota, period = (_text(folder / f"cpu.cfs_{part}_us") for part in ("quota", "period"))
            yield from _ratio(quota, period)

    def _folders(self, controller: str) -> Iterator[Path]:
        """Yield the folder of the process's group, then its parents; '' stands for version 2."""
        group = self._groups.get(controller)
        if group is None:
            return
        for mount in self._mounts:
            if (mount.kind == "cgroup2") if not controller else controller in mount.controllers:
                inside = _inside(group, mount.root)
                folder = mount.point / inside
                yield from (
                    folder,
                    *(mount.point / part for part in inside.parents if inside.parts),
                )
                return


def _mounts(text: str) -> Iterator[_Mount]:
    """Read ``mountinfo`` (proc(5)): fields, a lone hyphen, kind, source, options."""
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if separator and len(fields) >= 5 and len(rest) >= 3 and rest[0].startswith("cgroup"):
            point = Path(fields[4].replace("\\040", " "))
            controllers = frozenset(rest[2].split(",")) if rest[0] == "cgroup" else frozenset[str]()
            yield _Mount(point, PurePosixPath(fields[3]), rest[0], controllers)


def _groups(text: str) -> Iterator[tuple[str, PurePosixPath]]:
    """Read ``cgroup`` (cgroups(7)): number, controllers, path; version 2 names no controller."""
    for line in text.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        for controller in controllers.split(","):
            yield controller, PurePosixPath(path)


def _inside(group: PurePosixPath, root: PurePosixPath) -> PurePosixPath:
    """Return a group's path relative to the mounted root; empty for a group outside it."""
    if ".." in group.parts or not group.is_relative_to(root):
        return PurePosixPath()
    return group.relative_to(root)


def _ratio(quota: str, period: str) -> Iterator[float]:
    """Yield a quota in CPUs; nothing for ``max`` and -1."""
    time, whole = _number(quota), _number(period)
    if time is not None and whole:
        yield time / whole


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    """Read a file of the kernel; empty if it is missing or not readable."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
