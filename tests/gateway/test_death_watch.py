"""A death is told once and at once; what cannot be watched is no fault."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from gateway.death_watch import DeathWatch
from tests.support.waiting import until


async def test_a_death_is_told_once() -> None:
    """The kernel tells it; nobody has to ask."""
    told: list[str] = []
    process = await asyncio.create_subprocess_exec("sleep", "60")
    DeathWatch(process.pid, lambda: told.append("dead"))
    await asyncio.sleep(0.05)
    assert told == []
    process.kill()
    await process.wait()
    await until(lambda: told)
    await asyncio.sleep(0.05)
    assert told == ["dead"]


async def test_a_closed_watch_tells_nothing() -> None:
    """Nor does it leave a descriptor."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    before = len(os.listdir("/proc/self/fd"))
    watch = DeathWatch(process.pid, lambda: pytest.fail("told"))
    assert len(os.listdir("/proc/self/fd")) == before + 1
    watch.close()
    assert len(os.listdir("/proc/self/fd")) == before
    process.kill()
    await process.wait()


@pytest.mark.parametrize("pid", [0, 2**22 + 1, 2**62])
async def test_a_process_that_cannot_be_watched(pid: int) -> None:
    """Another machine's, or a lie."""
    DeathWatch(pid, lambda: pytest.fail("told")).close()


@pytest.mark.parametrize(
    ("fault", "told"), [(errno.EMFILE, 1), (errno.ENOSYS, 1), (errno.ESRCH, 0)]
)
async def test_a_watch_that_should_be_and_is_not_is_told(
    fault: int, told: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Deaths are noticed late then; a process of another machine is no reason for a warning."""

    def refuse(_pid: int) -> int:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    DeathWatch(os.getpid(), lambda: pytest.fail("told")).close()
    assert len(caplog.records) == told
