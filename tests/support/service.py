"""Starts the whole service like a user, on a free port, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.ports import free_port
from tests.support.waiting import SECONDS

ROOT = Path(__file__).parents[2]
UNPACED = "[LIMITS]\nframesPerSecond = 1000.0\nframeBurst = 1000\n"
"""Settings for a test that sends frames as fast as they are answered."""
KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"
PATIENT = {"frameDeadline": 60, "connectTimeout": 60, "startTimeout": 120}
"""Timeouts long enough for a busy machine; a test of one of them sets its own."""
ROOMY = {"refusedSessionsPerAddress": 0}
"""Limits that tests would reach incidentally, because all their clients have one address."""
_SECTIONS = {"startTimeout": "SUPERVISOR"}


def http_get(url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Fetch a page without TLS: reading the authorities' certificates takes 15 ms of CPU."""
    return httpx.get(url, headers=headers, verify=False, trust_env=False)


@dataclass
class Service:
    """A running service."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def get(self, path: str, host: str | None = None) -> httpx.Response:
        headers = None if host is None else {"Host": host}
        return http_get(f"http://127.0.0.1:{self.port}{path}", headers)

    def pids(self, role: str) -> list[int]:
        """Return process ids of this service's running roles whose title contains ``role``."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found = []
        for pid in map(int, children.split()):
            with contextlib.suppress(OSError):
                if f"lunapass {role}" in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
        return found

    def metric(self, name: str) -> float:
        """Return the value of a series without labels, or the sum over its labels."""
        # From another local address: in tests that act as a proxy, 127.0.0.1 is not local.
        transport = httpx.HTTPTransport(local_address="127.0.0.2", verify=False)
        with httpx.Client(transport=transport, trust_env=False) as client:
            lines = client.get(f"http://127.0.0.1:{self.port}/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    async def reload(self, addition: str, roles: int = 3, seconds: float = SECONDS) -> None:
        """Append to the configuration, and have every role read it."""
        config, log = self.directory / "config.toml", self.directory / "log"
        config.write_text(f"{config.read_text()}\n{addition}")
        before = log.read_text().count("reloaded")
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(seconds):
            while log.read_text().count("reloaded") < before + roles:  # noqa: ASYNC110  a file
                await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Service]:
        """Lend the service to a test, with an empty log; restore its configuration afterwards."""
        config, log = self.directory / "config.toml", self.directory / "log"
        before = config.read_text()
        os.truncate(log, 0)
        try:
            yield self
        finally:
            sys.stdout.write(log.read_text())
            config.write_text(before)
            await asyncio.to_thread(self.wait_ready)
            await self.reload("")

    def end(self) -> None:
        """Ask the service to stop, and wait for it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)

    def wait_ready(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if self.get("/readyz").status_code == 200:
                    return
            assert self.process.poll() is None, "the service ended"
            time.sleep(0.1)
        raise AssertionError("the service is not ready")


def _leniency(settings: str, checkout: Path) -> dict[str, str]:
    """Return variables for the timeouts and limits that the settings omit."""
    lenient = PATIENT | (ROOMY if checkout == ROOT else {})  # an older version may not know the key
    return {
        f"LUNAPASS__{_SECTIONS.get(key, 'LIMITS')}__{key}": str(value)
        for key, value in lenient.items()
        if key not in settings
    }


def _with_any_refusals(settings: str) -> str:
    """Allow any number of refusals, unless the settings say how many.

    A stamped session has up to 20 frames that are not live.
    """
    if "livenessRefusals" in settings:
        return settings
    head, found, rest = settings.partition("[LIMITS]\n")
    return f"{head}\n[LIMITS]\nlivenessRefusals = 0\n{rest if found else ''}"


@contextlib.contextmanager
def running(
    settings: str = "",
    *,
    workers: int = 2,
    wrapper: Sequence[str] = (),
    worker_settings: str = "",
    checkout: Path = ROOT,
) -> Iterator[Service]:
    """Run a service with the stamp backend (or the one in ``settings``) until the block ends.

    ``settings`` continue ``[TRANSPORT]``, ``worker_settings`` continue ``[WORKERS]``. ``wrapper``
    is a command that finally executes the one that follows it; in ``settings`` and ``wrapper`` the
    word ``DIRECTORY`` stands for the service's own folder. ``checkout`` is the folder of the
    program; another checkout has its own virtual environment.
    """
    python = sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")
    directory = Path(tempfile.mkdtemp(prefix="lp-"))
    (directory / "memory").mkdir()
    settings = settings.replace("DIRECTORY", str(directory))
    if checkout == ROOT:  # an older version may not know the key
        settings = _with_any_refusals(settings)
    wrapper = [word.replace("DIRECTORY", str(directory)) for word in wrapper]
    port = free_port()
    config = directory / "config.toml"
    config.write_text(
        f"""
[LUNA_PASS]
env = "development"
host = "127.0.0.1"
port = {port}
[LUNA_PASS.JWT]
key = "{KEY}"
[WORKERS]
count = {workers}
{"" if "backend" in settings + worker_settings else 'backend = "tests.support.stamp:StampBackend"'}
{worker_settings}
[TRANSPORT]
runtimeDirectory = "{directory}/run"
{settings}
"""
    )
    with (directory / "log").open("ab") as output:
        process = subprocess.Popen(
            [*wrapper, python, "-m", "lunapass", "run", "--config", str(config)],
            cwd=checkout,
            env={**os.environ, **_leniency(settings, checkout), "PYTHONPATH": str(checkout)},
            stderr=output,
        )
    service = Service(port, directory, process)
    try:
        service.wait_ready()
        yield service
    finally:
        try:
            service.end()
        finally:
            process.kill()
            sys.stdout.write((directory / "log").read_text())
            shutil.rmtree(directory)
