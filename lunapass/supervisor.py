"""``lunapass run``: runs all roles as child processes and watches them like systemd.

A child that exits before it sends ``READY=1`` stops the whole service: a setting is wrong or a file
is missing, so a retry would not help. A child that dies later is restarted after a pause that
doubles, but not after too many deaths in a short time. Without a worker the service is degraded;
without a gateway or aggregator it exits with status 1.

Only the supervisor reads the configuration, at the start and on SIGHUP. Each child gets its part of
that generation, even if it is restarted after the file was edited.
"""

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
from shared.config.generation import Generation, with_transport_keys
from shared.config.handover import PartSender
from shared.config.loading import without_settings
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
"""A role that provides new measurements reloads before a role that needs them."""


class Supervisor:
    """Starts, watches and stops the roles; ``workers`` counts those of all cells.

    Attributes:
        failed: a gateway or aggregator died too often.

    Raises:
        ResourceError: a port is in use or not permitted.
    """

    def __init__(self, source: ConfigSource, workers: int, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        config = with_workers(source.config, workers)
        self._source = source
        self._generation = Generation(with_transport_keys(config))
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
        """Start all roles and wait until they are ready, or a stop is requested.

        Raises:
            StartupError: a role exited or was not ready in time; all roles are stopped.
        """
        try:
            for child in self.children:
                await self._spawn(child)
            await self._wait_until_all_ready()
        except OSError as error:
            await self.stop()
            raise ResourceError(
                f"a role cannot be started: {error}; check the limit of processes, and that "
                f"[TRANSPORT] runtimeDirectory, {self._directory}, is short and writable"
            ) from error
        except BaseException:
            await self.stop()
            raise
        if not self._stopping.is_set():
            self._tasks = [asyncio.create_task(self._watch(child)) for child in self.children]
            self._notifier.ready(f"{len(self.children)} processes")

    async def _wait_until_all_ready(self) -> None:
        try:
            async with asyncio.timeout(self._settings.startTimeout):
                await asyncio.gather(*(self._wait_until_ready(child) for child in self.children))
        except TimeoutError as error:
            late = [child.name for child in self.children if not child.ready.is_set()]
            raise ResourceError(
                f"{', '.join(late)} not ready within {self._settings.startTimeout:g} s; "
                "see the log above, or raise SUPERVISOR.startTimeout"
            ) from error

    async def wait(self) -> None:
        """Wait until a stop is requested; meanwhile send heartbeats to systemd."""
        while not self._stopping.is_set():
            self._notifier.beat()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), CHECK_SECONDS)

    def reload(self) -> None:
        """Read the configuration again and send every role its part.

        An invalid configuration changes nothing. A role that is still starting may already have
        read its old part, and SIGHUP would kill it: it reloads as soon as it is ready.
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
                child.reload_when_ready = True

    def _send_part(self, child: Child) -> None:
        if child.parts is None:
            return  # not started yet; it will get the newest part
        try:
            child.parts.send(self._generation.part(child.role, child.cell))
        except ConnectionError:
            pass  # it has just died; its successor will get the newest part
        except OSError as error:
            log.error("cannot send the new configuration to %s: %s", child.name, error.strerror)

    def _ask_to_reload(self, child: Child) -> None:
        child.reload_when_ready = False
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGHUP)

    def request_stop(self) -> None:
        """Request a stop; a signal handler."""
        self._stopping.set()

    async def stop(self) -> None:
        """Stop the gateways first: they drain while the other roles still work."""
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
                process.send_signal(_stop_signal(child))
            timeout = KILL_AFTER_SECONDS + (self._drain if child.is_gateway else 0)
            try:
                await asyncio.wait_for(process.wait(), timeout)
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
        child.reload_when_ready = False
        child.notified_at = self._clock.monotonic()
        loop = asyncio.get_running_loop()
        loop.add_reader(child.notify.fileno(), self._read_notification, child)
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
            # Ctrl-C must reach only the supervisor, which stops the roles in order.
            start_new_session=True,
        )
        child.parts.inherited()

    def _read_notification(self, child: Child) -> None:
        with contextlib.suppress(BlockingIOError, AttributeError):
            words = child.notify.recv(4096).split(b"\n")  # type: ignore[union-attr]
            child.notified_at = self._clock.monotonic()
            if b"READY=1" in words:
                child.ready.set()
                if child.reload_when_ready:
                    self._ask_to_reload(child)

    async def _wait_until_ready(self, child: Child) -> None:
        assert child.process is not None
        waits = (child.process.wait(), child.ready.wait(), self._stopping.wait())
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not child.ready.is_set() and not self._stopping.is_set():
                how = self._endings.describe(child.process.returncode)
                raise StartupError(f"{child.name} could not start: {how}; see its message above")
        finally:
            for task in tasks:
                task.cancel()

    async def _watch(self, child: Child) -> None:
        """Keep one role alive: kill it when it hangs, restart it when it is dead."""
        while not child.given_up:
            assert child.process is not None
            started = self._clock.monotonic()
            try:
                await asyncio.wait_for(child.process.wait(), CHECK_SECONDS)
            except TimeoutError:
                # Time in which this process itself was stopped (a paused machine) does not count
                # as silence of the child.
                child.notified_at += self._clock.monotonic() - started - CHECK_SECONDS
                self._check_watchdog(child)
                continue
            await self._respawn(child)

    def _check_watchdog(self, child: Child) -> None:
        settings = self._settings
        silent = self._clock.monotonic() - child.notified_at
        timeout = settings.watchdogSeconds if child.ready.is_set() else settings.startTimeout
        if silent > timeout and child.process is not None:
            log.error("%s has not responded for %.0f s; killing it", child.name, silent)
            with contextlib.suppress(ProcessLookupError):  # it has just exited by itself
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
        log.error("%s %s; restarting it in %.1f s", child.name, how, pause)
        await asyncio.sleep(pause)
        try:
            await self._spawn(child)
        except OSError as error:  # such as no memory; it counts as one more death
            log.error("%s cannot be started: %s", child.name, error.strerror)

    def _give_up(self, child: Child, how: str) -> None:
        """Stop restarting a role; without a gateway or aggregator the service stops."""
        child.given_up = True
        log.error("%s %s, %d deaths; it is not restarted", child.name, how, len(child.deaths))
        if child.role == "worker":
            dead = ", ".join(child.name for child in self.children if child.given_up)
            self._notifier.status(f"degraded: {dead} not restarted")
        else:
            self.failed = True
            self._stopping.set()


def _stop_signal(child: Child) -> signal.Signals:
    """Return SIGINT, which means "no successor", for a gateway that is ready, else SIGTERM.

    A role that is not ready may still be importing modules. Python may then print SIGINT's
    KeyboardInterrupt as ignored and go on, whereas SIGTERM ends the role at once.
    """
    return signal.SIGINT if child.is_gateway and child.ready.is_set() else signal.SIGTERM


async def supervise(supervisor: Supervisor) -> None:
    """Run a supervisor until a stop signal.

    Raises:
        SystemExit: a gateway or aggregator died too often; status 1.
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
