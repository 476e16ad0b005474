"""Cells: a gateway with its workers and its aggregator.

Cells share no process, connection or shared memory.

The cells of a machine listen on one port. The first two digits of a session's id name its cell, so
that a balancer can route a client that resumes.
"""

import os
from pathlib import Path, PurePath
from typing import TypeVar

from shared.config.service import Config
from shared.process.cgroups import ControlGroups

AnyConfig = TypeVar("AnyConfig", bound=Config)

MAX_CELLS = 256
"""Cells of all machines together: the number of values of two hexadecimal digits."""


def prefix(config: Config) -> str:
    """Return the first two digits of this cell's session ids."""
    return f"{(config.TRANSPORT.firstCell + config.TRANSPORT.cell) % MAX_CELLS:02x}"


def role_name(config: Config, role: str) -> str:
    """Return the name of a role's process, with the cell's number if there are several cells."""
    return role if config.TRANSPORT.cells == 1 else f"{role}-{config.TRANSPORT.cell}"


def share(total: int, cells: int, cell: int) -> range:
    """Return the numbers of a cell's workers: ``total`` workers are split in blocks."""
    return range(total * cell // cells, total * (cell + 1) // cells)


USABLE = tuple(sorted(os.sched_getaffinity(0)))
"""CPUs that this process could use when it started, before it was pinned."""


def affordable_cpus(groups: ControlGroups, usable: int = len(USABLE)) -> int:
    """Return the number of CPUs that this process can keep busy.

    With more workers than the quota of a control group allows, the kernel would stop all of them
    for a part of each period.
    """
    quota = groups.cpus()
    return usable if quota is None else max(1, min(usable, int(quota)))


def total_workers(config: Config, cpus: int = len(USABLE)) -> int:
    """Return the workers of this machine: as configured, else one per CPU, less one per cell."""
    cells = config.TRANSPORT.cells
    return config.WORKERS.count or max(cells, cpus - cells)


def with_workers(config: AnyConfig, count: int) -> AnyConfig:
    """Set the number of workers, so that all roles use the same."""
    workers = config.WORKERS.model_copy(update={"count": count})
    return config.model_copy(update={"WORKERS": workers})


def worker_count(config: Config) -> int:
    """Return the number of workers of this cell."""
    return len(share(total_workers(config), config.TRANSPORT.cells, config.TRANSPORT.cell))


def with_cells(config: Config, cells: int | None) -> Config:
    """Set the number of cells of this machine; None leaves the configured number."""
    if cells is None:
        return config
    transport = config.TRANSPORT.model_copy(update={"cells": cells})
    return config.model_copy(update={"TRANSPORT": transport})


def of_cell(config: Config, cell: int | None) -> Config:
    """Return the configuration of one cell, with a folder of its own; None changes nothing."""
    if cell is None:
        return config
    directory = PurePath(config.TRANSPORT.runtimeDirectory) / str(cell)
    changes = {"cell": cell, "runtimeDirectory": str(directory)}
    return config.model_copy(update={"TRANSPORT": config.TRANSPORT.model_copy(update=changes)})


def machine_directory(config: Config) -> Path:
    """Return the private folder that all cells of a machine share."""
    own = Path(config.TRANSPORT.runtimeDirectory).absolute()
    return own.parent if config.TRANSPORT.cells > 1 else own
