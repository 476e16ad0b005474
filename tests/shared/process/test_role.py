"""A role's process: when it stops, and what it reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config.generation import Generation
from shared.config.parts import Part
from shared.config.service import Config
from shared.errors import ConfigError
from shared.process.role import Role
from tests.support.log import logged


class Parts:
    """Always returns the same part; None stands for an invalid file."""

    def __init__(self, *newer: Part | None) -> None:
        self.part = Generation(Config()).part("gateway", None)
        self._newer = list(newer)

    def reload(self) -> Part | None:
        return self._newer.pop(0)


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of the supervisor."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield heard


def words(heard: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(heard.recv(4096).decode().partition("\n")[0])
        except BlockingIOError:
            return found


async def test_a_pause_ends_when_the_role_is_stopped() -> None:
    """The role stops at once, and not after the pause."""
    with contextlib.closing((role := Role(None)).notifier):
        asyncio.get_running_loop().call_soon(role.stop)
        async with asyncio.timeout(60):
            await role.pause(3600)
        assert (role.is_stopped, role.runs) == (True, False)


def test_a_role_ends_with_its_supervisor() -> None:
    """If the parent process changes, the supervisor has ended."""
    for parent, runs in ((os.getppid(), True), (os.getppid() + 1, False)):
        with contextlib.closing((role := Role(None, parent=parent)).notifier):
            assert role.runs is runs


def test_each_reload_ends_with_ready(watcher: socket.socket) -> None:
    """READY follows a new part, an invalid file, and a part that cannot be applied."""
    part = Parts().part
    taken: list[Part] = []

    def refuse(_part: Part) -> None:
        raise ConfigError("an unknown plugin")

    role = Role(Parts(part, None, part))
    role.ready("working")
    with logged("shared.process.role") as lines:
        role.reload(taken.append)
        role.reload(taken.append)
        role.reload(refuse)
    role.notifier.stopping()
    assert taken == [part]
    assert [line["message"] for line in lines] == [
        "configuration not reloaded: an unknown plugin",
    ]
    reload = ["RELOADING=1", "READY=1"]
    assert words(watcher) == ["READY=1", *3 * reload, "STOPPING=1"]
    role.notifier.close()
