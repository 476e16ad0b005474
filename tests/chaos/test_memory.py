"""Workers let go of the slab of a gateway that died; its memory would never be free otherwise."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lunapass_client import Client
from tests.chaos.run import slabs_of, suffering_service
from tests.support.stamp import stamped_jpeg
from tests.support.waiting import until


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may see what a role maps")
async def test_workers_let_go_of_a_dead_gateways_slab() -> None:
    """After two deaths each worker maps the slab of the living gateway alone."""
    with suffering_service() as service:
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
