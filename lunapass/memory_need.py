"""Estimates the memory that the roles need, and compares it with the limit."""

import re
from dataclasses import dataclass
from pathlib import Path

from gateway.pool.slots import slot_count
from shared.config.cells import of_cell
from shared.config.service import Config
from shared.frame.slab import slab_bytes
from shared.process.cgroups import ControlGroups

MEGABYTE = 1_000_000
SUPERVISOR, GATEWAY, AGGREGATOR = 40, 60, 50
"""Megabytes of a role's private memory when idle (private pages in smaps_rollup after some
sessions)."""
WORKER = {"onnx": 160, "oip": 90}
OWN_WORKER = 90
"""The same for a worker, by backend; the models of other backends are unknown and not counted."""
CODE = 120
"""Megabytes of code and libraries that all roles share."""


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that all roles need: ``base`` with some active sessions, ``full`` with full queues."""

    base: int
    full: int


def memory_need(config: Config, workers: int) -> MemoryNeed:
    """Estimate the memory of the roles and frame slabs; ``workers`` counts those of all cells."""
    cells = config.TRANSPORT.cells
    worker = WORKER.get(config.WORKERS.backend, OWN_WORKER)
    roles = SUPERVISOR + CODE + cells * (GATEWAY + AGGREGATOR) + workers * worker
    numbered = (of_cell(config, number) for number in range(cells))
    slabs = sum(slab_bytes(slot_count(cell), config.LIMITS.framePixels)[1] for cell in numbered)
    base = roles * MEGABYTE + slabs
    return MemoryNeed(base, base + cells * _queues(config))


def _queues(config: Config) -> int:
    """Return the maximum bytes of one cell's queues of side effects and remembered results."""
    plugins = config.MIDDLEWARES.WS
    sinks = sum(
        plugin.isEnabled
        for plugin in (plugins.FileLogger, plugins.VideoRedis, plugins.Callbacks, plugins.Audit)
    )
    limits = config.LIMITS
    result = config.MIDDLEWARES.REQUEST.ServerResult
    remembered = result.args.maxBytes if result.isEnabled else 0
    return sinks * limits.effectBytes + (limits.unsettledBytes if sinks else 0) + remembered


def memory_limit(
    groups: ControlGroups, information: Path = Path("/proc/meminfo")
) -> tuple[int, str]:
    """Return the bytes that the roles may use, and what limits them."""
    found = re.search(r"^MemTotal: +(\d+) kB$", information.read_text(), re.MULTILINE)
    machine = int(found[1]) * 1024 if found else 2**62
    limit = groups.memory()
    if limit is not None and limit < machine:
        return limit, "the memory limit of this control group"
    return machine, "the memory of this machine"


def memory_warning(need: MemoryNeed, limit: tuple[int, str]) -> str | None:
    """Return a warning if the roles may not fit, otherwise None."""
    allowed, what = limit
    if allowed >= need.full:
        return None
    queues = "" if need.full == need.base else f", {_megabytes(need.full)} with full queues"
    return (
        f"the roles need about {_megabytes(need.base)}{queues}; {what} is {_megabytes(allowed)}, "
        "so the kernel may kill a role; allow more, or lower WORKERS.count, LIMITS.framePixels, "
        "LIMITS.effectBytes or LIMITS.unsettledBytes"
    )


def _megabytes(count: int) -> str:
    return f"{count / MEGABYTE:,.0f} MB"
