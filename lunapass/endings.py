"""Describes for the log how a process ended."""

import signal

from shared.process.cgroups import ControlGroups


class Endings:
    """Describes how roles end; detects kills of the kernel's OOM killer."""

    def __init__(self, groups: ControlGroups) -> None:
        self._groups = groups
        self._oom_kills = groups.oom_kills()

    def describe(self, status: int | None) -> str:
        """Describe an end: ``died (signal SIGSEGV)``, ``died (out of memory: ...)``.

        ``status`` is asyncio's return code: negative for a signal, None if it is unknown.
        """
        if status is None:
            return "died"
        if status >= 0:
            return f"died (exit status {status})"
        if status == -signal.SIGKILL and self._killed_for_memory():
            return "died (out of memory: killed by the kernel, SIGKILL)"
        return f"died (signal {_name(-status)})"

    def _killed_for_memory(self) -> bool:
        """Return whether the OOM killer killed a process since the last call."""
        before, self._oom_kills = self._oom_kills, self._groups.oom_kills()
        return self._oom_kills > before


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return str(number)
