"""``lunapass run``: all roles as child processes, watched as systemd would watch them.

A child that ends before it has said ``READY=1`` stops the whole service: that is a wrong setting or
a missing file, and trying again would not help. A child that dies later is started again, after a
pause that doubles; too many deaths in a short time end the attempts for that role. A service that
lacks a worker is degraded; one that lacks its gateway or aggregator ends, with status 1.

The configuration is read here alone, at the start and on SIGHUP. Each child gets its part of that
generation, also one that is started again after the file was edited.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys

from lunapass.endings import Endings
from lunapass.roles import Child, plan
from shared.config.cells import with_workers
from shared.config.handover import PartSender
from shared.config.loading import without_settings
from shared.config.parts import Generation, with_files_read, with_transport_keys
from shared.config.source import ConfigSource
from shared.errors import ResourceError, StartupError
from shared.process.cgroups import ControlGroups
from shared.process.clock import SYSTEM, Clock
from shared.process.process import Notifier
from shared.wire.transport import runtime_directory

log = logging.getLogger(__name__)

KILL_AFTER_SECONDS = 5.0
CHECK_SECONDS = 0.5
RELOAD_ORDER = ("worker", "aggregator", "gateway")
"""Who measures comes before who needs the new measures."""


class Supervisor:
    """Starts, watches and ends the roles.

    Args:
        source: the configuration, which is read again on a reload.
        workers: number of workers of all cells together.
        clock: measures silence and pauses.

    Attributes:
        failed: a role without which nothing works died too often.

    Raises:
        ConfigError: a key file cannot be read.
        ResourceError: a port is taken or not allowed.
    """

    def __init__(self, source: ConfigSource, workers: int, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        config = with_workers(source.config, workers)
        self._source = source
        self._generation = Generation(with_transport_keys(with_files_read(config)))
        self._settings = config.SUPERVISOR
        self._drain = config.LIMITS.drainSeconds
        self._directory = runtime_directory(config)
        self._cells = plan(config, workers)
        self._notifier = Notifier(clock=clock)
        self.children = [child for cell in self._cells for child in cell.children]
        self.failed = False
        self._endings = Endings(ControlGroups())
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every role and wait until each is ready, or somebody asks for the end.

        Raises:
            StartupError: a role ended or was not ready in time; none is left running.
        """
        try:
            for child in self.children:
                await self._spawn(child)
            await self._until_all_ready()
        except OSError as error:
            await self.stop()
            raise ResourceError(
                f"a role cannot be started: {error}; is there room for one more process, and is "
                f"[TRANSPORT] runtimeDirectory, {self._directory}, short and writable?"
            ) from error
        except BaseException:
            await self.stop()
            raise
        if not self._stopping.is_set():
            self._tasks = [asyncio.create_task(self._watch(child)) for child in self.children]
            self._notifier.ready(f"{len(self.children)} processes")

    async def _until_all_ready(self) -> None:
        try:
            async with asyncio.timeout(self._settings.startTimeout):
                await asyncio.gather(*(self._until_ready(child) for child in self.children))
        except TimeoutError as error:
            late = [child.name for child in self.children if not child.ready.is_set()]
            raise ResourceError(
                f"{', '.join(late)} not ready within {self._settings.startTimeout:g} s; "
                "see the log above, or raise SUPERVISOR.startTimeout"
            ) from error

    async def wait(self) -> None:
        """Wait until somebody asks for the end, and tell whoever watches that the loop turns."""
        while not self._stopping.is_set():
            self._notifier.beat()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), CHECK_SECONDS)

    def reload(self) -> None:
        """Read the configuration again, and give every role its part; a faulty one changes nothing.

        A role that still starts may have taken its part just before: it is asked once it is ready,
        since a signal before that would end it.
        """
        fresh = self._source.reload(self._generation.config)
        if fresh is None:
            return
        self._generation = Generation(fresh)
        for child in sorted(self.children, key=lambda child: RELOAD_ORDER.index(child.role)):
            self._send_part(child)
            if child.ready.is_set():
                self._ask_to_reload(child)
            else:
                child.reloads = True

    def _send_part(self, child: Child) -> None:
        if child.parts is None:
            return  # not started yet: it will get the newest
        try:
            child.parts.send(self._generation.part(child.role, child.cell))
        except ConnectionError:
            pass  # it has just died; the process after it will get the newest
        except OSError as error:
            log.error("%s was not given the new configuration: %s", child.name, error.strerror)

    def _ask_to_reload(self, child: Child) -> None:
        child.reloads = False
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGHUP)

    def request_stop(self) -> None:
        """Ask for the end; a signal handler."""
        self._stopping.set()

    async def stop(self) -> None:
        """End the gateways first, so that they can drain while the others still work."""
        self._stopping.set()
        self._notifier.stopping()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(self._end(child) for child in self.children if child.is_gateway))
        await asyncio.gather(*(self._end(child) for child in self.children if not child.is_gateway))
        for cell in self._cells:
            cell.sockets.close()

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # SIGINT tells a gateway that no successor follows.
                process.send_signal(signal.SIGINT if child.is_gateway else signal.SIGTERM)
            patience = KILL_AFTER_SECONDS + (self._drain if child.is_gateway else 0)
            try:
                await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._close_notify(child)
        if child.parts is not None:
            child.parts.close()

    def _close_notify(self, child: Child) -> None:
        if child.notify is not None:
            asyncio.get_running_loop().remove_reader(child.notify.fileno())
            child.notify.close()
            child.notify = None
            (self._directory / f"notify-{child.name}").unlink(missing_ok=True)

    async def _spawn(self, child: Child) -> None:
        self._close_notify(child)
        path = self._directory / f"notify-{child.name}"
        path.unlink(missing_ok=True)
        child.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        child.notify.bind(str(path))
        child.notify.setblocking(False)
        child.ready.clear()
        child.reloads = False
        child.heard = self._clock.monotonic()
        asyncio.get_running_loop().add_reader(child.notify.fileno(), self._hear, child)
        if child.parts is not None:
            child.parts.close()
        child.parts = PartSender()
        self._send_part(child)
        child.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lunapass",
            *child.arguments,
            "--part-fd",
            str(child.parts.far_end),
            env={**without_settings(os.environ), "NOTIFY_SOCKET": str(path)},
            pass_fds=[*child.descriptors, child.parts.far_end],
            # Ctrl-C reaches the supervisor alone, which ends the roles in their order.
            start_new_session=True,
        )
        child.parts.inherited()

    def _hear(self, child: Child) -> None:
        with contextlib.suppress(BlockingIOError, AttributeError):
            words = child.notify.recv(4096).split(b"\n")  # type: ignore[union-attr]
            child.heard = self._clock.monotonic()
            if b"READY=1" in words:
                child.ready.set()
                if child.reloads:
                    self._ask_to_reload(child)

    async def _until_ready(self, child: Child) -> None:
        assert child.process is not None
        waits = (child.process.wait(), child.ready.wait(), self._stopping.wait())
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not child.ready.is_set() and not self._stopping.is_set():
                how = self._endings.describe(child.process.returncode)
                raise StartupError(f"{child.name} could not start: {how}; its message is above")
        finally:
            for task in tasks:
                task.cancel()

    async def _watch(self, child: Child) -> None:
        """Keep one role alive: end it when its loop stands still, start it anew when it is dead."""
        while not child.given_up:
            assert child.process is not None
            began = self._clock.monotonic()
            try:
                await asyncio.wait_for(child.process.wait(), CHECK_SECONDS)
            except TimeoutError:
                # While this process stood still itself (a paused machine), nobody was silent.
                child.heard += self._clock.monotonic() - began - CHECK_SECONDS
                self._check_watchdog(child)
                continue
            await self._respawn(child)

    def _check_watchdog(self, child: Child) -> None:
        settings = self._settings
        silent = self._clock.monotonic() - child.heard
        patience = settings.watchdogSeconds if child.ready.is_set() else settings.startTimeout
        if silent > patience and child.process is not None:
            log.error("%s stands still for %.0f s and is killed", child.name, silent)
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                child.process.kill()

    async def _respawn(self, child: Child) -> None:
        now = self._clock.monotonic()
        how = self._endings.describe(child.process.returncode if child.process else None)
        child.deaths.append(now)
        while child.deaths and now - child.deaths[0] > self._settings.crashWindow:
            child.deaths.popleft()
        if len(child.deaths) >= self._settings.crashLimit:
            self._give_up(child, how)
            return
        pause = min(
            self._settings.respawnDelay * 2 ** (len(child.deaths) - 1),
            self._settings.respawnDelayMax,
        )
        log.error("%s %s; it is started again in %.1f s", child.name, how, pause)
        await asyncio.sleep(pause)
        try:
            await self._spawn(child)
        except OSError as error:  # no memory, no process number: that counts as one more death
            log.error("%s cannot be started: %s", child.name, error.strerror)

    def _give_up(self, child: Child, how: str) -> None:
        """Leave a role dead: the service is degraded without a worker, and ends without others."""
        child.given_up = True
        log.error("%s %s, %d times by now, and is left dead", child.name, how, len(child.deaths))
        if child.role == "worker":
            dead = ", ".join(child.name for child in self.children if child.given_up)
            self._notifier.status(f"degraded: {dead} left dead")
        else:
            self.failed = True
            self._stopping.set()


async def supervise(supervisor: Supervisor) -> None:
    """Run a supervisor until a signal asks for the end.

    Raises:
        SystemExit: a role without which nothing works could not be kept alive; status 1.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.request_stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    await supervisor.start()
    try:
        await supervisor.wait()
    finally:
        await supervisor.stop()
    if supervisor.failed:
        raise SystemExit(1)
