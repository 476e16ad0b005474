"""Detects the end of a process at once, by its pidfd."""

import asyncio
import logging
import os
from collections.abc import Callable

log = logging.getLogger(__name__)


class DeathWatch:
    """Calls back, once, when a process on this machine ends.

    A process on another machine or in another namespace cannot be watched; its missing heartbeats
    must do.
    """

    def __init__(self, pid: int, died: Callable[[], None]) -> None:
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._descriptor: int | None = None
        try:
            self._descriptor = os.pidfd_open(pid)
        except (OSError, OverflowError) as error:
            if not isinstance(error, ProcessLookupError):  # expected for another machine's process
                log.warning(
                    "cannot watch process %d (pidfd); its death is detected only by timeout: %s",
                    pid,
                    error,
                )
            return
        self._loop.add_reader(self._descriptor, self._report)

    def _report(self) -> None:
        self.close()
        self._died()

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
