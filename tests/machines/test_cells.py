"""Two cells of one machine: a common port, a port for each, and failures confined to a cell."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from lunapass_client import Client
from shared.wire.protocol import Command
from tests.machines.machine import wait_until
from tests.support.ports import free_port
from tests.support.service import UNPACED, Service, http_get, running
from tests.support.stamp import stamped_jpeg

CELLS = 2


def port_block() -> int:
    """Return the first of several consecutive free ports."""
    while True:
        first = free_port()
        if first + CELLS < 65_536:
            return first


@pytest.fixture(scope="module")
def cells() -> Iterator[tuple[Service, int]]:
    """A service of two cells with a worker each, and the port of the first cell."""
    first = port_block()
    with running(f"cells = {CELLS}\ncellPort = {first}\n{UNPACED}", workers=CELLS) as service:
        for number in range(CELLS):
            wait_until(lambda port=first + number: ready(port), "each cell")
        yield service, first


def ready(port: int) -> bool:
    try:
        return http_get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def cell_of(client: Client) -> str:
    return str(client.session_id)[:2]


async def succeeds(client: Client) -> bool:
    await client.send_frame(stamped_jpeg(1, 50))
    await client.receive()
    return bool((await client.receive()).body["isOk"])


async def test_new_sessions_are_spread_over_the_cells(cells: tuple[Service, int]) -> None:
    """The kernel distributes connections at the common port, and each cell does its work."""
    service, _ = cells
    met = set()
    for _ in range(64):
        async with Client(service.url) as client:
            met.add(cell_of(client))
            assert await succeeds(client)
        if len(met) == CELLS:
            break
    assert met == {"00", "01"}


async def test_each_cell_has_its_own_port(cells: tuple[Service, int]) -> None:
    """A load balancer needs this: cell K alone is at cellPort + K."""
    _, first = cells
    for number in range(CELLS):
        async with Client(f"ws://127.0.0.1:{first + number}/ws") as client:
            assert cell_of(client) == f"{number:02x}"


async def test_a_failure_stays_within_its_cell(cells: tuple[Service, int]) -> None:
    """The gateway of one cell dies: the other continues, and the session is resumed at its own."""
    service, first = cells
    urls = [f"ws://127.0.0.1:{first + number}/ws" for number in range(CELLS)]
    async with Client(urls[0]) as hit, Client(urls[1]) as other:
        await hit.send_frame(stamped_jpeg(1, 1))
        await hit.receive()
        dead = next(pid for pid in service.pids("gateway-0"))
        os.kill(dead, signal.SIGKILL)
        assert await succeeds(other)
    # No need to wait: the kernel queues the connection for the next gateway.
    again = Client(urls[0], session_id=hit.session_id, resume_token=hit.resume_token)
    async with again:
        assert again.connected is not None
        assert again.connected.command is Command.CONNECTED
        assert await succeeds(again)
    await asyncio.to_thread(wait_until, lambda: ready(first), "the cell")
