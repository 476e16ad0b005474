"""How a process ended, in words for the log."""

from __future__ import annotations

import signal

from shared.process.cgroups import ControlGroups


class Endings:
    """Describes how roles end, and knows a death for want of memory from other kills.

    Args:
        groups: the control groups of the roles.
    """

    def __init__(self, groups: ControlGroups) -> None:
        self._groups = groups
        self._oom_kills = groups.oom_kills()

    def describe(self, status: int | None) -> str:
        """Describe an end: ``died (signal SIGSEGV)``, ``died (out of memory, ...)``.

        Args:
            status: the return code as asyncio gives it: negative for a signal, None for an end
                that was not seen.
        """
        if status is None:
            return "died"
        if status >= 0:
            return f"died (exit status {status})"
        if status == -signal.SIGKILL and self._killed_for_memory():
            return "died (out of memory: killed by the kernel, SIGKILL)"
        return f"died (signal {_name(-status)})"

    def _killed_for_memory(self) -> bool:
        """Whether the kernel has killed a process for want of memory since the last look."""
        before, self._oom_kills = self._oom_kills, self._groups.oom_kills()
        return self._oom_kills > before


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal between the first and the last has no name
        return str(number)
