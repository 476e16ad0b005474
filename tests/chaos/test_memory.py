"""Workers release the slab of a dead gateway; otherwise its memory would never be freed."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lunapass_client import Client
from tests.chaos.run import service_under_test, slabs_of
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may see what a role maps")
async def test_workers_release_the_slab_of_a_dead_gateway() -> None:
    """After two deaths each worker maps only the slab of the running gateway."""
    with service_under_test() as service:
        for _ in range(2):
            os.kill(service.pids("gateway")[0], signal.SIGKILL)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(service.wait_ready)
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(1, 30))
            assert (await client.receive()).body["isOk"]
        living = slabs_of(service.pids("gateway")[0])
        assert len(living) == 1
        await until(lambda: all(slabs_of(pid) == living for pid in service.pids("worker")))
