"""A service short of file descriptors logs it, refuses further clients as "full", and continues."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter

from lunapass_client import Client, ClientError
from tests.support.raw import Raw, upgrade
from tests.support.service import Service, running
from tests.support.stamp import stamped_jpeg

FEW = 200
SETTINGS = """
[LIMITS]
connectTimeout = 100.0
handshakesPerSecond = 10000.0
handshakesPerAddress = 10000.0
"""
LIMITED = ["bash", "-c", f'ulimit -n {FEW}; exec "$@"', "--"]


async def answer(raw: Raw) -> str:
    """Return the status of the answer to an upgrade, or "cut"."""
    try:
        line = await asyncio.wait_for(raw.reader.readline(), 60)
    except ConnectionError:
        return "cut"
    return line.decode().split(" ")[1] if line else "cut"


async def first_free_slot(service: Service) -> Client:
    """Return a client that connects as soon as the closed sockets are released."""
    for _ in range(100):
        with contextlib.suppress(ClientError):
            async with Client(service.url):
                break
        await asyncio.sleep(0.1)
    return Client(service.url)


async def test_clients_are_refused_before_descriptors_run_out() -> None:
    """Each client is served, refused as "full" or, far beyond that, cut off.

    Then the service recovers.
    """
    with running(SETTINGS, workers=1, wrapper=LIMITED) as service:
        raws, answers = [], []
        for _ in range(FEW):
            raw = await Raw.open(service)
            raws.append(raw)
            try:
                raw.writer.write(upgrade(service))
                answers.append(await answer(raw))
            except ConnectionError:
                answers.append("cut")
        counts = Counter(answers)
        (room,) = re.findall(
            rf"ulimit -n is {FEW}: room for (\d+) connections instead of LIMITS.connections = 4000",
            (service.directory / "log").read_text(),
        )
        assert counts["101"] == int(room)
        assert counts["503"] > 0
        assert set(counts) <= {"101", "503", "cut"}
        for raw in raws:
            raw.writer.close()
        async with await first_free_slot(service) as client:
            await client.send_frame(stamped_jpeg(1, 30))
            assert (await client.receive()).body["isOk"]
        refused = service.metric('lunapass_requests_refused_total{reason="full"}')
        assert refused >= counts["503"]
