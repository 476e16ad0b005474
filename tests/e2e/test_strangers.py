"""Floods of one client and unusual headers of proxies do not lock out kiosks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import connect

from lunapass_client import Answer
from shared.wire.protocol import Codec, Command
from tests.support.raw import Raw
from tests.support.service import Service, running

SETTINGS = """
[LIMITS]
handshakesPerSecond = 100.0
sessionsPerAddress = 1
"""
KIOSKS = 44
"""Together with what a stranger gets in two floods in a row, fewer than the service permits."""
UPGRADES = 400


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that trusts a proxy on this machine; each test acts as that proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUNAPASS__LUNA_PASS__TRUSTEDPROXIES", '["127.0.0.1"]')
        with running(SETTINGS, workers=1) as started:
            yield started


async def status_for(service: Service, address: str) -> bytes:
    """Return the status of the answer to an upgrade request of a client behind the proxy."""
    raw = await Raw.upgraded(service, X_Forwarded_For=address)
    raw.writer.close()
    return raw.head.split(b" ")[1]


@pytest.mark.parametrize("stranger", ["203.0.113.9", "2001:db8::{:x}"], ids=["IPv4", "IPv6"])
async def test_a_flood_does_not_lock_out_kiosks(service: Service, stranger: str) -> None:
    """After 400 upgrades of one stranger, from one address or a /64, each of 44 kiosks gets in."""
    flood = Counter([await status_for(service, stranger.format(n)) for n in range(UPGRADES)])
    kiosks = [await status_for(service, f"198.51.100.{n}") for n in range(1, KIOSKS + 1)]
    assert kiosks == [b"101"] * KIOSKS
    assert set(flood) == {b"101", b"429"}
    assert service.metric('lunapass_requests_refused_total{reason="rate"}') == 0
    assert service.metric('lunapass_requests_refused_total{reason="address-rate"}') > 0


@pytest.mark.parametrize(
    "form",
    [
        "192.0.2.{}:4711",
        '"203.0.113.{}"',
        "[2001:db8:0:{}::1]:4711",
        '"[2001:db8:1:{}::1]:4711"',
        "_kiosk{}",
        "kiosk-{}.lan",
    ],
)
async def test_kiosks_are_distinguished_behind_a_proxy(service: Service, form: str) -> None:
    """This holds however the proxy writes their addresses: no session counts for another kiosk."""
    answers = []
    sockets = []
    for number in (1, 2, 2):
        headers = {"X-Forwarded-For": form.format(number)}
        socket = await connect(service.url, additional_headers=headers)
        await socket.send(Codec.encode(Command.CONNECT, {}))
        answers.append(Answer.parse(await socket.recv()).command)
        sockets.append(socket)
    for socket in sockets:
        await socket.close()
    assert answers == [Command.CONNECTED, Command.CONNECTED, Command.ERROR]
