"""A role that dies too often is given up; without a worker the other roles continue."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import httpx

from lunapass_client import Client
from tests.support.service import Service, running
from tests.support.stamp import HANG, stamped_jpeg

SETTINGS = "[SUPERVISOR]\ncrashLimit = 3\ncrashWindow = 600\nrespawnDelay = 0.05\n"


def until(reached: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait for a condition; return False if it never holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if reached():
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    return False


def kill_repeatedly(service: Service, role: str, times: int) -> None:
    """Kill the first process of a role and each of its successors."""
    killed: set[int] = set()
    for _ in range(times):
        assert until(lambda: bool(set(service.pids(role)) - killed))
        pid = (set(service.pids(role)) - killed).pop()
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)


async def test_a_crashing_worker_degrades_the_service() -> None:
    """The other roles continue, and /readyz and the log report it."""
    with running(SETTINGS, workers=2) as service:
        kill_repeatedly(service, "worker-0", 3)
        assert until(lambda: service.get("/readyz").text == "degraded: 1 of 2 workers\n")
        assert until(lambda: "it is not restarted" in (service.directory / "log").read_text())
        assert service.get("/readyz").status_code == 200
        assert service.pids("worker-0") == []
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(1, 30))
            assert (await client.receive()).body["isOk"]


async def test_a_crashing_aggregator_ends_the_service() -> None:
    """A service manager may start it again; it never stays partly alive."""
    with running(SETTINGS, workers=1) as service:
        kill_repeatedly(service, "aggregator", 3)
        assert await asyncio.to_thread(service.process.wait, 60) == 1


async def test_a_frame_that_hangs_workers_is_answered() -> None:
    """It gets code 2, both workers that hung are replaced, and the next frame works."""
    watchful = "[SUPERVISOR]\nwatchdogSeconds = 5.0\nrespawnDelay = 0.05\n"
    with running(watchful, workers=2, worker_settings="jobTimeout = 2.0") as service:
        before = set(service.pids("worker"))
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(HANG, 1))
            assert (await client.receive()).body["errors"] == [2]
            for _ in range(600):
                if len(after := set(service.pids("worker")) - before) == 2:
                    break
                await asyncio.sleep(0.1)
        assert len(after) == 2
        await asyncio.to_thread(service.wait_ready)
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(7, 30))
            assert (await client.receive()).body["isOk"]
