"""A memory file system with room for one slab is enough, also after a gateway's death."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from lunapass.client import Client
from tests.chaos.run import can_mount, suffering_service
from tests.support.stamp import stamped_jpeg


@pytest.mark.skipif(not can_mount(), reason="no private mount is allowed here")
async def test_workers_let_go_of_a_dead_gateways_slab() -> None:
    """Workers that went on holding it would keep every further gateway from starting."""
    with suffering_service() as (service, _):
        for _ in range(2):
            os.kill(service.pids("gateway")[0], signal.SIGKILL)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(service.wait_ready)
        async with Client(service.url) as client:
            await client.send_frame(stamped_jpeg(1, 30))
            assert (await client.receive()).body["isOk"]
