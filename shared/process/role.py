"""What the processes of gateway, aggregator and workers have in common."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable

from shared.config.handover import PartSource, log_part
from shared.config.parts import Part
from shared.errors import StartupError
from shared.process.affinity import cpus_for_io, pin_to
from shared.process.clock import SYSTEM, Clock
from shared.process.process import Notifier, freeze_gc, start_logging

log = logging.getLogger(__name__)


def set_up_process(name: str, part: Part) -> None:
    """Name this process, start its log, and pin it to the CPUs that no worker uses."""
    section = part.config.LUNA_PASS
    start_logging(name, section.logLevel, section.logFile)
    log_part("loaded", part)
    pin_to(cpus_for_io(part.config))


def handle_signals(
    *, stop: Callable[[], None], interrupt: Callable[[], None], reload: Callable[[], None]
) -> None:
    """Have the running event loop call these on SIGTERM, SIGINT and SIGHUP."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGHUP, reload)


class Role:
    """Lifecycle of a role: ready, reload, stop.

    Args:
        source: source of newer parts of the configuration; None without reloads.
        parent: process id of the supervisor; the role stops when that process exits.
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
        """Whether a stop was requested."""
        return self._stopped.is_set()

    @property
    def runs(self) -> bool:
        """Whether no stop was requested and the supervisor is alive."""
        return not self.is_stopped and self._parent in (None, os.getppid())

    def stop(self) -> None:
        """Request a stop; signal handlers may call this."""
        self._stopped.set()

    async def pause(self, seconds: float) -> None:
        """Sleep, at most until a stop is requested."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    def ready(self, status: str) -> None:
        """Report that the role has started, with a status line for operators."""
        freeze_gc()
        self._status = status
        self.notifier.ready(status)

    def reload(self, apply: Callable[[Part], None]) -> None:
        """Apply the newest part of the configuration; log an invalid one and change nothing.

        ``apply`` raises StartupError if it cannot apply a part.
        """
        self.notifier.reloading()
        part = self._source.reload() if self._source else None
        try:
            if part is not None:
                apply(part)
                log_part("reloaded", part)
        except StartupError as error:
            log.error("configuration not reloaded: %s", error)
        self.notifier.ready(self._status)
