"""What the processes of gateway, aggregator and workers have in common, from start to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable

from shared.config.handover import PartSource, log_part
from shared.config.parts import Part
from shared.errors import StartupError
from shared.process.clock import SYSTEM, Clock
from shared.process.process import Notifier, begin, freeze_gc
from shared.process.processors import keep_to, of_others

log = logging.getLogger(__name__)


def set_up_process(name: str, part: Part) -> None:
    """Name this process, open its log, and keep it off the workers' CPUs.

    Args:
        name: the role, with its number where there are several.
        part: the part of the configuration that it starts with.
    """
    begin(name, part.config)
    log_part("loaded", part)
    keep_to(of_others(part.config))


def handle_signals(
    *, stop: Callable[[], None], interrupt: Callable[[], None], reload: Callable[[], None]
) -> None:
    """Let the running event loop call these on SIGTERM, SIGINT and SIGHUP."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGHUP, reload)


class Role:
    """Whether a role is to end, and what its watcher is told.

    Args:
        source: gives newer parts of the configuration; None never does.
        parent: process id of the supervisor; the role ends when that is gone.
        clock: times the beats.

    Attributes:
        notifier: reports to the watcher.
    """

    def __init__(
        self, source: PartSource | None, *, parent: int | None = None, clock: Clock = SYSTEM
    ) -> None:
        self._source = source
        self._parent = parent
        self._stopped = asyncio.Event()
        self.notifier = Notifier(clock=clock)
        self._status = ""

    @property
    def is_stopped(self) -> bool:
        """Whether the end was requested."""
        return self._stopped.is_set()

    @property
    def runs(self) -> bool:
        """Whether the end was not requested, and the supervisor is there."""
        return not self.is_stopped and self._parent in (None, os.getppid())

    def stop(self) -> None:
        """Request the end; may be called by a signal handler."""
        self._stopped.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the end is requested."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def ready(self, status: str) -> None:
        """Report that the role does its work from now on.

        Args:
            status: what it does, for people.
        """
        freeze_gc()
        self._status = status
        self.notifier.ready(status)

    def reload(self, take: Callable[[Part], None]) -> None:
        """Get the newest part of the configuration; a faulty one is logged and changes nothing.

        Args:
            take: applies a part; a StartupError says that it cannot be applied.
        """
        self.notifier.reloading()
        part = self._source.again() if self._source else None
        try:
            if part is not None:
                take(part)
                log_part("reloaded", part)
        except StartupError as error:
            log.error("configuration not reloaded: %s", error)
        self.notifier.ready(self._status)
