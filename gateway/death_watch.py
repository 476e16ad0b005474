"""Learns of a process's death from the kernel, at once, rather than from its silence."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

log = logging.getLogger(__name__)


class DeathWatch:
    """Calls back, once, when a process of this machine has ended.

    A process of another machine or namespace cannot be watched; its heartbeats must do.

    Args:
        pid: the process.
        died: what to call.
    """

    def __init__(self, pid: int, died: Callable[[], None]) -> None:
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._descriptor: int | None = None
        try:
            self._descriptor = os.pidfd_open(pid)
        except (OSError, OverflowError) as error:
            if not isinstance(error, ProcessLookupError):  # which another machine's are too
                log.warning("a process's death is seen late only, by its silence: %s", error)
            return
        self._loop.add_reader(self._descriptor, self._tell)

    def _tell(self) -> None:
        self.close()
        self._died()

    def close(self) -> None:
        """Watch no longer."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
