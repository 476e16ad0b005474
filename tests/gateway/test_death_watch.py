"""The end of a process is reported once and immediately; an unwatchable process is no error."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from gateway.death_watch import DeathWatch
from tests.support.waiting import until


async def test_a_death_is_reported_once() -> None:
    """The kernel reports it, without polling."""
    calls: list[str] = []
    process = await asyncio.create_subprocess_exec("sleep", "60")
    DeathWatch(process.pid, lambda: calls.append("dead"))
    await asyncio.sleep(0.05)
    assert calls == []
    process.kill()
    await process.wait()
    await until(lambda: calls)
    await asyncio.sleep(0.05)
    assert calls == ["dead"]


async def test_a_closed_watch_reports_nothing() -> None:
    """It leaves no descriptor open."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    before = len(os.listdir("/proc/self/fd"))
    watch = DeathWatch(process.pid, lambda: pytest.fail("reported"))
    assert len(os.listdir("/proc/self/fd")) == before + 1
    watch.close()
    assert len(os.listdir("/proc/self/fd")) == before
    process.kill()
    await process.wait()


@pytest.mark.parametrize("pid", [0, 2**22 + 1, 2**62])
async def test_an_unwatchable_process_is_not_reported(pid: int) -> None:
    """It is on another machine, or its id is wrong."""
    DeathWatch(pid, lambda: pytest.fail("reported")).close()


@pytest.mark.parametrize(
    ("error", "lines"), [(errno.EMFILE, 1), (errno.ENOSYS, 1), (errno.ESRCH, 0)]
)
async def test_a_failed_watch_is_logged(
    error: int, lines: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The end is then detected late. For a process of another machine that is expected."""

    def refuse(_pid: int) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "pidfd_open", refuse)
    DeathWatch(os.getpid(), lambda: pytest.fail("reported")).close()
    assert len(caplog.records) == lines
