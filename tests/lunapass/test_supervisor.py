"""The supervisor where the machine has no room for another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lunapass.roles import Child
from lunapass.supervisor import Supervisor
from shared.config import Config
from tests.support.service import free_port


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """One that has not started, with quick respawns."""
    config = Config.model_validate(
        {
            "LUNA_PASS": {"host": "127.0.0.1", "port": free_port(), "env": "development"},
            "TRANSPORT": {"runtimeDirectory": str(tmp_path)},
            "SUPERVISOR": {"respawnDelay": 0.01, "respawnDelayMax": 0.01, "crashLimit": 3},
        }
    )
    made = Supervisor(config, None, 1)
    yield made
    await made.stop()
    made._notifier.close()


async def test_a_role_that_cannot_be_started_again_is_no_end_of_its_watch(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure counts as a death, so that in the end it is given up, and that is told."""
    tried: list[object] = []

    async def no_room(*_: object, **__: object) -> None:
        tried.append(None)
        raise BlockingIOError(11, "Resource temporarily unavailable")

    child: Child = next(child for child in supervisor.children if child.is_gateway)
    child.process = await asyncio.create_subprocess_exec("true")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_room)
    await asyncio.wait_for(supervisor._watch(child), 10)
    assert child.given_up
    assert supervisor.failed
    assert len(tried) == 2
