"""Cells: the workers are distributed; folders and session ids are separate."""

from __future__ import annotations

import pytest

from shared.config.cells import (
    affordable_cpus,
    of_cell,
    prefix,
    role_name,
    share,
    total_workers,
    with_cells,
    with_workers,
    worker_count,
)
from shared.config.service import Config
from shared.process.cgroups import ControlGroups


@pytest.mark.parametrize(("total", "cells"), [(1, 1), (7, 3), (8, 2), (5, 5)])
def test_every_worker_has_one_cell(total: int, cells: int) -> None:
    """The shares cover all workers once and differ by at most one."""
    shares = [share(total, cells, cell) for cell in range(cells)]
    assert [number for part in shares for number in part] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_cell_has_its_own_folder_and_prefix() -> None:
    """Sockets and session ids of two cells never collide."""
    config = Config.model_validate(
        {"TRANSPORT": {"cells": 2, "firstCell": 14, "runtimeDirectory": "/run/x"}}
    )
    first, second = of_cell(config, 0), of_cell(config, 1)
    assert (first.TRANSPORT.runtimeDirectory, second.TRANSPORT.runtimeDirectory) == (
        "/run/x/0",
        "/run/x/1",
    )
    assert (prefix(first), prefix(second)) == ("0e", "0f")
    assert (role_name(first, "gateway"), role_name(Config(), "gateway")) == ("gateway-0", "gateway")


def test_workers_are_counted_for_the_cell() -> None:
    """The slab of a cell has the size that its own workers need."""
    config = Config.model_validate({"TRANSPORT": {"cells": 2}, "WORKERS": {"count": 5}})
    assert [worker_count(of_cell(config, cell)) for cell in (0, 1)] == [2, 3]


def test_the_cells_option_overrides_the_file() -> None:
    """The option is ``--cells``."""
    assert with_cells(Config(), 3).TRANSPORT.cells == 3


class Quota(ControlGroups):
    """Control groups with a quota."""

    def __init__(self, quota: float | None) -> None:
        self._quota = quota

    def cpus(self) -> float | None:
        return self._quota


@pytest.mark.parametrize(
    ("quota", "usable", "cpus", "workers"),
    [
        (None, 64, 64, 63),
        (4.0, 64, 4, 3),
        (2.9, 64, 2, 1),
        (1.0, 64, 1, 1),
        (0.5, 64, 1, 1),
        (8.0, 2, 2, 1),
    ],
)
def test_a_cpu_quota_limits_the_workers(
    quota: float | None, usable: int, cpus: int, workers: int
) -> None:
    """A container with 4 of 64 CPUs runs 3 workers, not 63; a configured count stays."""
    assert affordable_cpus(Quota(quota), usable) == cpus
    assert total_workers(Config(), cpus) == workers
    assert total_workers(with_workers(Config(), 5), cpus) == 5


def test_every_role_uses_the_same_number_of_workers() -> None:
    """A role may be pinned to other CPUs than the process that counted."""
    config = with_workers(Config(), 3)
    assert worker_count(config) == 3
