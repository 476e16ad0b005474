"""The memory that the roles need, compared with the machine's: a warning before the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lunapass.memory_need import MEGABYTE, memory_limit, memory_need, memory_warning
from shared.config.service import Config
from shared.process.cgroups import ControlGroups
from tests.support.judge import plugin_config

MACHINE = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\n"


class Limited(ControlGroups):
    """Control groups with this limit."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit

    def memory(self) -> int | None:
        return self._limit


def need(workers: int = 2, **sections: Any) -> int:
    return memory_need(plugin_config({}, **sections), workers).base // MEGABYTE


def test_workers_cells_and_slots_need_memory() -> None:
    """Each worker needs its models, each cell a gateway, an aggregator and a slab."""
    assert 500 < need() < 700
    assert need(10) - need(9) == pytest.approx(160, abs=1)
    assert need(TRANSPORT={"cells": 2}) > need() + 100
    slots = {"TRANSPORT": {"slots": 100}, "LIMITS": {"framePixels": 4_000_000}}
    assert need(**slots) > 100 * 12
    assert need(WORKERS={"backend": "oip"}) < need()


def test_queues_of_side_effects_may_be_full(tmp_path: Path) -> None:
    """The limits of every enabled plugin count, for each cell."""
    on = {"FileLogger": {"path": str(tmp_path)}, "Callbacks": {"url": "http://x/"}}
    plain, busy = (memory_need(plugin_config(plugins), 2) for plugins in ({}, on))
    assert plain.full == plain.base == busy.base
    limits = Config().LIMITS
    assert busy.full - busy.base == 2 * limits.effectBytes + limits.unsettledBytes


@pytest.mark.parametrize(
    ("limit", "allowed", "what"),
    [
        (None, 16_000_000 * 1024, "machine"),
        (2**50, 16_000_000 * 1024, "machine"),
        (500 * MEGABYTE, 500 * MEGABYTE, "control group"),
    ],
)
def test_the_lower_limit_applies(
    tmp_path: Path, limit: int | None, allowed: int, what: str
) -> None:
    """It is the limit of the control group, or the machine's memory."""
    (tmp_path / "meminfo").write_text(MACHINE)
    found, words = memory_limit(Limited(limit), tmp_path / "meminfo")
    assert found == allowed
    assert what in words


def test_the_warning_gives_figures(tmp_path: Path) -> None:
    """What is needed, what is available, and what to do; without a shortage there is none."""
    plugins = {"FileLogger": {"path": str(tmp_path)}}
    needed = memory_need(plugin_config(plugins), 2)
    warning = memory_warning(needed, (512 * MEGABYTE, "the memory limit of this control group"))
    assert warning is not None
    assert f"need about {needed.base / MEGABYTE:.0f} MB, " in warning
    for words in ("with full queues", "this control group is 512 MB", "lower WORKERS.count"):
        assert words in warning
    assert memory_warning(needed, (needed.full, "")) is None
    assert memory_warning(needed, (needed.full - 1, "")) is not None
