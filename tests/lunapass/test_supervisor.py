"""The supervisor in unusual situations: failed starts, early stops, a paused machine."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lunapass.roles import Child
from lunapass.supervisor import Supervisor
from shared.config.source import ConfigSource
from shared.errors import ResourceError, StartupError
from shared.wire.curve import own_pair
from shared.wire.lines import ROLES
from tests.support.memory import found_in, shown_of
from tests.support.ports import free_port
from tests.support.waiting import until


def make(directory: Path, runtime: Path | None = None, backend: str = "onnx") -> Supervisor:
    file = directory / "config.toml"
    file.write_text(f"""
[LUNA_PASS]
env = "development"
host = "127.0.0.1"
port = {free_port()}
[TRANSPORT]
runtimeDirectory = "{runtime or directory}"
[WORKERS]
backend = "{backend}"
[SUPERVISOR]
respawnDelay = 0.01
respawnDelayMax = 0.01
crashLimit = 3
watchdogSeconds = 1.5
""")
    return Supervisor(ConfigSource(file), 1)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """A supervisor that has not started, with short respawn pauses."""
    made = make(tmp_path)
    yield made
    await made.stop()
    made._notifier.close()


async def test_a_role_that_cannot_be_restarted_is_given_up(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure counts as a death, so finally the role is given up and logged."""
    tried: list[object] = []

    async def no_room(*_: object, **__: object) -> None:
        tried.append(None)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    child: Child = next(child for child in supervisor.children if child.is_gateway)
    child.process = await asyncio.create_subprocess_exec("true")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_room)
    await asyncio.wait_for(supervisor._watch(child), 60)
    assert child.given_up
    assert supervisor.failed
    assert len(tried) == 2


async def sleeping(*_: Any, **__: Any) -> asyncio.subprocess.Process:
    """A role that lives but never reports; signals end it, even if they were ignored before.

    A signal that comes before ``env`` has restored its effect would be lost, so it waits for that.
    """
    process = await REAL("env", "--default-signal", "sleep", "60")
    await until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
    return process


REAL = asyncio.create_subprocess_exec


async def silent_role(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> tuple[Child, asyncio.subprocess.Process]:
    """Start the first role alone, as one that never reports."""
    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    child = supervisor.children[0]
    await supervisor._spawn(child)
    assert child.process is not None
    return child, child.process


async def all_spawned(supervisor: Supervisor) -> None:
    await until(lambda: all(child.process is not None for child in supervisor.children))


async def test_a_stop_does_not_wait_for_the_start(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal before the roles are ready is no error, and none of them remains."""
    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    starting = asyncio.create_task(supervisor.start())
    await all_spawned(supervisor)
    supervisor.request_stop()
    await asyncio.wait_for(starting, 60)
    await supervisor.stop()
    assert all(child.process and child.process.returncode for child in supervisor.children)


async def test_a_cancelled_start_leaves_no_role(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start may be cancelled by Ctrl-C in a program such as the demonstration."""
    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    starting = asyncio.create_task(supervisor.start())
    await all_spawned(supervisor)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert all(child.process and child.process.returncode for child in supervisor.children)


@pytest.mark.parametrize(("is_ready", "number"), [(False, signal.SIGTERM), (True, signal.SIGINT)])
async def test_a_gateway_gets_sigint_only_once_it_is_ready(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, is_ready: bool, number: signal.Signals
) -> None:
    """Before that, Python could ignore SIGINT, as it imports modules without our handler."""
    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    gateway = next(child for child in supervisor.children if child.is_gateway)
    await supervisor._spawn(gateway)
    assert gateway.process is not None
    if is_ready:
        gateway.ready.set()
    await supervisor.stop()
    assert gateway.process.returncode == -number


async def test_a_path_too_long_for_a_socket_is_one_line(tmp_path: Path) -> None:
    """The system's error names the key to change."""
    supervisor = make(tmp_path, tmp_path / ("x" * 100))
    with pytest.raises(ResourceError, match=r"\[TRANSPORT\] runtimeDirectory"):
        await supervisor.start()
    supervisor._notifier.close()


async def test_a_pause_of_the_machine_does_not_count_as_silence(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it no role is killed; one that stays silent still is."""
    child, role = await silent_role(supervisor, monkeypatch)
    child.ready.set()
    watch = asyncio.create_task(supervisor._watch(child))
    await asyncio.sleep(0.1)
    time.sleep(2.5)  # noqa: ASYNC251  the loop stands still, as it would in a paused machine
    await asyncio.sleep(0.1)
    assert role.returncode is None
    await asyncio.wait_for(role.wait(), 60)
    watch.cancel()


async def test_a_role_that_starts_during_a_reload_reads_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have read the file before the change, so it gets SIGHUP once it is ready."""
    child, role = await silent_role(supervisor, monkeypatch)
    supervisor.reload()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(role.wait(), 0.2)  # an early signal would end it
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as voice:
        voice.sendto(b"READY=1", str(supervisor._directory / f"notify-{child.name}"))
    assert await asyncio.wait_for(role.wait(), 60) == -signal.SIGHUP


async def test_a_role_that_ends_before_its_kill_is_restarted(
    supervisor: Supervisor,
) -> None:
    """It may end between the check of its silence and the signal."""
    child = supervisor.children[0]
    child.process = await asyncio.create_subprocess_exec("true")
    await child.process.wait()
    child.ready.set()
    child.notified_at = time.monotonic() - 1000
    supervisor._check_watchdog(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_the_signal_that_ended_a_role_is_reported(
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
) -> None:
    """Each time, and when the role is given up."""
    monkeypatch.setattr(asyncio, "create_subprocess_exec", sleeping)
    child = supervisor.children[0]
    await supervisor._spawn(child)
    watch = asyncio.create_task(supervisor._watch(child))
    killed: set[int] = set()
    while not child.given_up:
        if child.process is not None and child.process.pid not in killed:
            killed.add(child.process.pid)
            child.process.send_signal(number)
        await asyncio.sleep(0.01)
    await watch
    messages = [
        record.getMessage() for record in caplog.records if child.name in record.getMessage()
    ]
    assert len(messages) == len(killed) == 3
    assert all(f"died (signal {number.name})" in line for line in messages)
    assert messages[-1].endswith("it is not restarted")
    assert "could not start" not in caplog.text


async def test_a_role_that_cannot_start_is_reported_with_its_status(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own message says why; a role ended by a signal wrote none."""

    async def dies(*_: Any, **__: Any) -> asyncio.subprocess.Process:
        return await REAL("sh", "-c", "kill -BUS $$")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", dies)
    with pytest.raises(StartupError, match=r"could not start: died \(signal SIGBUS\)"):
        await supervisor.start()


async def test_every_role_gets_the_number_of_workers(tmp_path: Path) -> None:
    """The gateway's slots and the workers match, however the number was determined."""
    supervisor = make(tmp_path)
    try:
        assert supervisor._source.config.WORKERS.count == 0
        assert supervisor._generation.config.WORKERS.count == 1
    finally:
        await supervisor.stop()
        supervisor._notifier.close()


def content(directory: Path) -> bytes:
    """Return the contents of all files in a folder."""
    return b"".join(file.read_bytes() for file in directory.rglob("*") if file.is_file())


async def test_transport_keys_are_generated_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each role has only its own secret key, even after a reload or a death.

    No secret key is on a command line, in an environment, in the log or in a file that a role could
    read.
    """
    supervisor = make(tmp_path, backend="tests.support.stamp:StampBackend")
    keys = supervisor._generation.config.TRANSPORT.KEYS
    secrets = {role: own_pair(keys, role)[1] for role in ROLES}
    await asyncio.wait_for(supervisor.start(), 120)
    try:
        supervisor.reload()
        reloaded = supervisor._generation.config.TRANSPORT.KEYS
        assert reloaded == keys
        worker = next(child for child in supervisor.children if child.role == "worker")
        assert worker.process is not None
        killed = worker.process
        killed.kill()
        await until(lambda: worker.process is not killed and worker.ready.is_set())
        for child in supervisor.children:
            assert child.process is not None
            pid = child.process.pid
            own = {secrets[child.role]}
            assert found_in(pid, secrets.values()) <= own
            # Retry a miss: the process moves its memory while the test reads it.
            await until(lambda pid=pid, own=own: found_in(pid, secrets.values()) == own)
            shown = shown_of(pid, "cmdline") + shown_of(pid, "environ")
            assert not any(secret in shown for secret in secrets.values())
    finally:
        await supervisor.stop()
        supervisor._notifier.close()
    written = content(tmp_path)
    logged = "".join(capfd.readouterr()).encode()
    assert b"configuration loaded" in logged
    assert not any(secret in written + logged for secret in secrets.values())
