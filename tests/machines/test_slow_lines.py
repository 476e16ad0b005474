"""Accepted sessions get their RESULT on slow and lossy lines, even after an interruption."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
import numpy as np
import pytest
import simplejpeg
import websockets

from lunapass_client import Answer, Client, Verdict
from shared.wire.protocol import Codec, Command
from tests.machines.network import Network, network
from tests.machines.proxies import nginx_site
from tests.machines.slow_line import LineKind, slow_down
from tests.support.service import KEY, Service, running
from tests.support.stamp import stamp

SLOWER = LineKind(40)
SLOW = LineKind(64)
MIDDLING = LineKind(256)
LOSSY = LineKind(1000, loss=0.05)
SETTINGS = """
[LIMITS]
idleSeconds = 5.0
bestshotBytes = 40000
"""
"""A frame takes longer than idleSeconds on the slowest line, RESULT longer than PATIENCE."""
PATIENCE = 4.0
LIVE = 50


def large_jpeg(quality: int = 85) -> bytes:
    """Return a live stamped image of some 60 kB; its RESULT has 60 to 70 kB."""
    image = np.full((480, 640, 3), 127, np.uint8)
    noise = np.random.default_rng().integers(90, 160, (200, 640, 1), dtype=np.uint8)
    image[280:] = np.repeat(noise, 3, axis=2)
    stamp(image, 1, LIVE)
    data: bytes = simplejpeg.encode_jpeg(image, quality=quality, colorspace="BGR")
    return data


@dataclass
class Site:
    """A service behind a line, and its clients at the switch."""

    network: Network
    service: Service

    @property
    def url(self) -> str:
        return f"ws://{self.network.hosts[0].address}:{self.service.port}/ws"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with network(1) as net, pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("LUNAPASS__LUNA_PASS__HOST", "0.0.0.0")
        patch.setenv("LUNAPASS__LUNA_PASS__HOSTS", json.dumps([net.hosts[0].address]))
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        with net.hosts[0].inside():
            service = stack.enter_context(running(SETTINGS, workers=1))
        try:
            with net.switch.inside():
                yield Site(net, service)
        finally:
            with net.hosts[0].inside():
                stack.close()


def assert_accepted(verdict: Verdict, session: str | None) -> None:
    """Check that the verdict has a token of this session that verifies."""
    assert verdict.accepted
    assert verdict.token is not None
    claims = jwt.decode(verdict.token, KEY, algorithms=["HS256"], issuer="lunapass")
    assert claims["sid"] == session


@pytest.mark.parametrize("kind", [SLOW, MIDDLING, LOSSY], ids=str)
async def test_an_accepted_session_ends_in_its_result(site: Site, kind: LineKind) -> None:
    """On one connection, although frame and RESULT take longer than any tolerated silence."""
    slow_down(site.network, 0, kind)
    async with Client(site.url, patience=PATIENCE, resumes=0) as client:
        verdict = await client.check([large_jpeg()])
    assert_accepted(verdict, client.session_id)


@pytest.mark.parametrize("kind", [MIDDLING, LOSSY], ids=str)
async def test_a_minimal_client_gets_the_result(site: Site, kind: LineKind) -> None:
    """It is a program that knows only the commands; the size of RESULT is announced to it."""
    slow_down(site.network, 0, kind)
    announced = None
    async with websockets.connect(site.url, ping_interval=None) as line:
        await line.send(Codec.encode(Command.CONNECT))
        connected = json.loads(await line.recv())
        await line.send(large_jpeg())
        async with asyncio.timeout(60):
            while (answer := Answer.parse(text := await line.recv())).command != Command.RESULT:
                announced = answer.headers.get("result-bytes")
    assert announced == len(text)
    assert_accepted(Verdict.of(answer), connected["headers"]["session-id"])


PROXY = """
location / {
    proxy_pass http://127.0.0.1:PORT;
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
}
"""


@pytest.fixture
def proxied(site: Site, tmp_path: Path) -> Iterator[str]:
    """Yield the address of nginx before the service, on the same host."""
    host = site.network.hosts[0]
    with contextlib.ExitStack() as stack:
        with host.inside():
            server = PROXY.replace("PORT", str(site.service.port))
            port = stack.enter_context(nginx_site(tmp_path, server, host.address))
        yield f"ws://{host.address}:{port}/ws"


async def test_a_proxy_may_buffer_the_result(site: Site, proxied: str) -> None:
    """It has read RESULT long before the client, which sends HEARTBEAT meanwhile, as the page does.

    If the connection to the client were closed then, the answer to a HEARTBEAT would be a reset,
    and the rest of RESULT would be lost.
    """
    slow_down(site.network, 0, SLOWER)

    async def beat(client: Client) -> None:
        while True:
            await asyncio.sleep(1)
            await client.send(Command.HEARTBEAT)

    async with Client(proxied, patience=PATIENCE, resumes=0) as client:
        beating = asyncio.create_task(beat(client))
        verdict = await client.check([large_jpeg(quality=20)])
        beating.cancel()
    assert_accepted(verdict, client.session_id)


async def test_an_interrupted_result_is_delivered_again(site: Site) -> None:
    """The cable is unplugged while RESULT arrives: the client notices, resumes, and gets it."""
    slow_down(site.network, 0, MIDDLING)
    cut = asyncio.Event()

    async def pull(client: Client) -> None:
        while client.arrived_bytes < 10_000:  # noqa: ASYNC110  # a count, without an event
            await asyncio.sleep(0.02)
        site.network.cut(0)
        cut.set()
        await asyncio.sleep(1.5 * PATIENCE)
        site.network.mend(0)

    async with Client(site.url, patience=PATIENCE, resumes=20) as client:
        pulling = asyncio.create_task(pull(client))
        verdict = await client.check([large_jpeg()])
        assert cut.is_set()
        await pulling
    assert_accepted(verdict, client.session_id)
