"""X-Forwarded-For is believed only as far as trusted proxies wrote it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.forwarded import address_of, client_address, networks
from gateway.http import is_local

PROXIES = networks(["10.0.0.0/8", "::1", "192.0.2.7"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1, 192.0.2.7"], "198.51.100.1"),
        ("::1", ["2001:db8::5"], "2001:db8::5"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, <script>"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_rightmost_untrusted_address_counts(
    peer: str, forwarded: list[str], expected: str
) -> None:
    """What a client writes itself stands further left and is not reached."""
    assert client_address(peer, forwarded, PROXIES) == expected


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_who_is_gone_already_has_no_address() -> None:
    """A client that asks and is gone in the same moment is no fault and nobody of this machine."""
    seen: list[tuple[str, bool]] = []
    done = asyncio.Event()

    async def asked(connection: ServerConnection, request: Request) -> Response | None:
        await connection.wait_closed()
        try:
            seen.append((address_of(connection, request, PROXIES), is_local(connection, request)))
        finally:
            done.set()
        return None

    async def never(_: ServerConnection) -> None:
        raise AssertionError("there is nobody to serve")

    async def run() -> None:
        async with serve(never, "127.0.0.1", 0, process_request=asked) as server:
            with contextlib.closing(
                socket.create_connection(server.sockets[0].getsockname())
            ) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.send(UPGRADE)
            await asyncio.wait_for(done.wait(), 10)

    uvloop.run(run())
    assert seen == [("", False)]
