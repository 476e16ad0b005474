"""Cells: a gateway, its workers and its aggregator, which share nothing with the next cell.

Cells of one machine stand side by side on one port. The first two digits of a session's id name
the cell that has it, so that a balancer finds the cell of a client that resumes.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from shared.config.service import Config
from shared.process.cgroups import ControlGroups

MAX_CELLS = 256
"""Cells of all machines together that two hexadecimal digits can name."""


def prefix(config: Config) -> str:
    """First two digits of the ids of this cell's sessions."""
    return f"{(config.TRANSPORT.firstCell + config.TRANSPORT.cell) % MAX_CELLS:02x}"


def role_name(config: Config, role: str) -> str:
    """Name of a role's process; with several cells, the cell's number is in it."""
    return role if config.TRANSPORT.cells == 1 else f"{role}-{config.TRANSPORT.cell}"


def share(total: int, cells: int, cell: int) -> range:
    """Numbers of a cell's workers when ``total`` of them are spread over the cells in blocks."""
    return range(total * cell // cells, total * (cell + 1) // cells)


USABLE = tuple(sorted(os.sched_getaffinity(0)))
"""CPUs that this process was given at its start, before it kept to some of them."""


def affordable_cpus(groups: ControlGroups, usable: int = len(USABLE)) -> int:
    """Count the CPUs that this process can keep busy.

    A worker beyond the quota of a control group would be stopped for a part of each period, and so
    would all others.

    Args:
        groups: those of this process.
        usable: CPUs that it was given.
    """
    quota = groups.cpus()
    return usable if quota is None else max(1, min(usable, int(quota)))


def total_workers(config: Config, cpus: int = len(USABLE)) -> int:
    """Workers of this machine: as configured, else one for each CPU that no gateway needs."""
    cells = config.TRANSPORT.cells
    return config.WORKERS.count or max(cells, cpus - cells)


def with_workers(config: Config, count: int) -> Config:
    """Name the number of workers, so that every role goes by the same."""
    workers = config.WORKERS.model_copy(update={"count": count})
    return config.model_copy(update={"WORKERS": workers})


def worker_count(config: Config) -> int:
    """Workers of this cell."""
    return len(share(total_workers(config), config.TRANSPORT.cells, config.TRANSPORT.cell))


def of_cell(config: Config, cell: int | None, cells: int | None = None) -> Config:
    """Narrow a machine's configuration to one cell: its number and its folder of sockets.

    Args:
        config: that of the machine.
        cell: number of the cell; None leaves everything as it is.
        cells: number of cells, when another than the configured one.
    """
    changes: dict[str, object] = {} if cells is None else {"cells": cells}
    if cell is not None:
        directory = PurePath(config.TRANSPORT.runtimeDirectory) / str(cell)
        changes |= {"cell": cell, "runtimeDirectory": str(directory)}
    return config.model_copy(update={"TRANSPORT": config.TRANSPORT.model_copy(update=changes)})


def machine_directory(config: Config) -> Path:
    """Return the private folder that all cells of a machine share, for a cell's configuration."""
    own = Path(config.TRANSPORT.runtimeDirectory).absolute()
    return own.parent if config.TRANSPORT.cells > 1 else own
