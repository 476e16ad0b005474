"""Workers and the other roles use separate CPUs if there are enough."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shared.config.cells import USABLE
from shared.config.service import Config
from shared.process.affinity import cpu_of_worker, cpus_for_io


def machine(count: int, cpus: list[int] | None = None) -> Config:
    return Config.model_validate({"WORKERS": {"count": count, "cpus": cpus or []}})


def test_workers_use_the_last_cpus_one_each() -> None:
    """The first CPUs are for gateway and aggregator; extra workers share CPUs in turn."""
    assert [cpu_of_worker([], index, (0, 1, 2)) for index in range(4)] == [2, 1, 0, 2]


def test_configured_cpus_are_used_in_turn() -> None:
    """``[WORKERS] cpus`` determines the order."""
    assert [cpu_of_worker([4, 6], index, tuple(range(8))) for index in range(3)] == [4, 6, 4]


@pytest.mark.parametrize("count", range(1, 8))
def test_no_other_role_runs_on_the_cpu_of_a_worker(count: int) -> None:
    """If the workers leave a CPU, the other roles use only the remaining ones."""
    usable = tuple(range(8))
    workers = {cpu_of_worker([], index, usable) for index in range(count)}
    assert cpus_for_io(machine(count), usable) == set(usable) - workers


def test_if_workers_use_all_cpus_the_others_share_them() -> None:
    """No CPU remains for the other roles."""
    assert cpus_for_io(machine(2), (0, 1)) == {0, 1}
    assert cpus_for_io(machine(1, cpus=[0]), (0, 1)) == {1}


@pytest.mark.skipif(len(USABLE) < 2, reason="this machine has a single CPU")
def test_pin_to_pins_later_threads_too_but_changes_nothing_with_a_single_usable_cpu() -> None:
    """A process that was started with one CPU stays on it."""
    code = (
        "import os, threading; from shared.process.affinity import pin_to\n"
        f"pin_to({{{USABLE[1]}}})\n"
        "thread = threading.Thread(target=lambda: print(os.sched_getaffinity(0)))\n"
        "thread.start(); thread.join()"
    )
    assert _output(code) == f"{{{USABLE[1]}}}"
    given = f"import os; os.sched_setaffinity(0, {{{USABLE[0]}}})\n"
    assert _output(given + code) == f"{{{USABLE[0]}}}"


def _output(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()
