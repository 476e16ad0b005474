"""How a role's end is reported: exit status, signal, or killed for lack of memory."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from lunapass.endings import Endings
from shared.process.cgroups import ControlGroups
from tests.support.cgroups import control_group


class Counter(ControlGroups):
    """Control groups in which the test sets the number of kills."""

    kills = 3

    def oom_kills(self) -> int:
        return self.kills


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "died (exit status 0)"),
        (2, "died (exit status 2)"),
        (-signal.SIGSEGV, "died (signal SIGSEGV)"),
        (-signal.SIGBUS, "died (signal SIGBUS)"),
        (-signal.SIGKILL, "died (signal SIGKILL)"),
        (-(signal.SIGRTMIN + 1), f"died (signal {signal.SIGRTMIN + 1})"),
        (None, "died"),
    ],
)
def test_an_end_is_described(status: int | None, words: str) -> None:
    """A signal is given by its name, or by its number if it has none."""
    assert Endings(Counter()).describe(status) == words


def test_each_out_of_memory_kill_is_reported_once() -> None:
    """A later kill by another process is not taken for one."""
    groups = Counter()
    endings = Endings(groups)
    groups.kills += 1
    assert "out of memory" in endings.describe(-signal.SIGKILL)
    assert endings.describe(-signal.SIGKILL) == "died (signal SIGKILL)"


def test_a_real_out_of_memory_kill_is_reported() -> None:
    """The process runs in a group of 200 MB."""
    code = """
import subprocess, sys
from lunapass.endings import Endings
from shared.process.cgroups import ControlGroups
endings = Endings(ControlGroups())
greedy = "all = [bytearray(b'x') * 10_000_000 for _ in range(60)]"
print(endings.describe(subprocess.run([sys.executable, "-c", greedy]).returncode))
print(endings.describe(subprocess.run(["sh", "-c", "kill -9 $$"]).returncode))
"""
    with control_group("memory", limit_in_bytes=200 * 2**20) as small:
        command = [*small, sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "died (out of memory: killed by the kernel, SIGKILL)"
    assert second == "died (signal SIGKILL)"
