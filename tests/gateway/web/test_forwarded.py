"""X-Forwarded-For is used only as far as trusted proxies wrote it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from gateway.web.forwarded import Sender, UnreadableLog, find_sender, networks
from gateway.web.visit import visit_of
from tests.support.clock import SettableClock
from tests.support.visits import headers_of

PROXIES = networks(["10.0.0.0/8", "::1", "192.0.2.7"])


def sender(peer: str, forwarded: list[str]) -> Sender:
    return find_sender(
        peer, headers_of(*(("X-Forwarded-For", line) for line in forwarded)), PROXIES
    )


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
        ("10.0.0.1", ["<script>, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1,"], "198.51.100.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_rightmost_untrusted_address_counts(
    peer: str, forwarded: list[str], expected: str
) -> None:
    """What a client writes itself is further left and is ignored."""
    assert sender(peer, forwarded).address == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("198.51.100.1:4711", "198.51.100.1"),
        ('"198.51.100.1:4711"', "198.51.100.1"),
        ('"198.51.100.1"', "198.51.100.1"),
        ("198.51.100.1:_port", "198.51.100.1"),
        ("[2001:db8::5]", "2001:db8::5"),
        ("[2001:DB8::5]:4711", "2001:db8::5"),
        ('"[2001:db8::5]:4711"', "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("fe80::5%eth0", "fe80::5"),
        ("[fe80::5%eth0]:4711", "fe80::5"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("[::ffff:198.51.100.1]:4711", "198.51.100.1"),
    ],
)
def test_an_address_is_read_as_proxies_write_it(node: str, expected: str) -> None:
    """With a port, in brackets or in quotes: the node forms of RFC 7239."""
    found = sender("10.0.0.1", [node])
    assert (found.address, found.unreadable) == (expected, "")


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]))


@given(PRINTABLE, PRINTABLE, PRINTABLE)
def test_hostile_headers_give_a_safe_text(nodes: str, proto: str, forwarded: str) -> None:
    """Any header gives text of limited length that is safe for a log."""
    fields = {"X-Forwarded-For": nodes, "X-Forwarded-Proto": proto, "Forwarded": forwarded}
    headers = headers_of(**{name: value.strip() for name, value in fields.items()})
    found = find_sender("10.0.0.1", headers, PROXIES)
    assert found.scheme in ("http", "https", None)
    for text in (found.address, found.unreadable):
        assert len(text) <= 64
        assert text.isascii()
        assert text.isprintable()


@pytest.mark.parametrize(
    "node", ["unknown", "kiosk-7.lan", "198.51.100.256", "198.51.100.1;8", "[::1", "a" * 5000]
)
def test_a_client_without_an_address_is_not_the_proxy(node: str) -> None:
    """Limits use the name that the proxy gives the client, which is logged."""
    found = sender("10.0.0.1", ["1.2.3.4, " + node])
    assert (found.address, found.unreadable) == (node[:64], node[:64])


def test_an_obfuscated_name_is_accepted() -> None:
    """In RFC 7239 such names start with an underscore and are valid."""
    found = sender("10.0.0.1", ["_kiosk7"])
    assert (found.address, found.unreadable) == ("_kiosk7", "")


def test_a_name_is_safe_for_a_log() -> None:
    """Unprintable characters are replaced."""
    assert sender("10.0.0.1", ["a\tb\xe9"]).address == "a?b?"


async def test_unreadable_names_are_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next line has the number of skipped ones."""
    clock = SettableClock()
    unreadable = UnreadableLog(clock=clock)
    for second in range(61):
        unreadable.record(sender("10.0.0.1", [f"kiosk-{second}.lan"]))
        unreadable.record(sender("10.0.0.1", ["198.51.100.1"]))
        clock.advance(1)
    logged = [record.fields for record in caplog.records]  # type: ignore[attr-defined]
    assert logged == [
        {"client": "kiosk-0.lan", "unlogged": 0},
        {"client": "kiosk-60.lan", "unlogged": 59},
    ]


@pytest.mark.parametrize(
    ("peer", "fields", "scheme"),
    [
        ("203.0.113.5", {"X-Forwarded-Proto": "https"}, "http"),
        ("10.0.0.1", {}, "http"),
        ("10.0.0.1", {"X-Forwarded-Proto": "https"}, "https"),
        ("10.0.0.1", {"X-Forwarded-Proto": "HTTPS , http"}, "https"),
        ("10.0.0.1", {"X-Forwarded-Proto": "http,https"}, "http"),
        ("10.0.0.1", {"X-Forwarded-Proto": "wss"}, "https"),
        ("10.0.0.1", {"X-Forwarded-Proto": "gopher"}, None),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.1"}, None),
        ("10.0.0.1", {"Forwarded": 'for="[::1]:1";proto=https;by=_a'}, "https"),
        ("10.0.0.1", {"Forwarded": 'Proto="http", for=10.0.0.2;proto=https'}, "http"),
        ("10.0.0.1", {"Forwarded": "for=198.51.100.1"}, None),
        ("10.0.0.1", {"Forwarded": "proto=https", "X-Forwarded-Proto": "http"}, "http"),
    ],
)
def test_the_scheme_is_that_of_the_first_proxy(
    peer: str, fields: dict[str, str], scheme: str | None
) -> None:
    """It must come from a trusted proxy; without a header the scheme is unknown."""
    assert find_sender(peer, headers_of(**fields), PROXIES).scheme == scheme


def test_an_untrusted_proxy_is_detected() -> None:
    """The log can then name the missing setting."""
    assert sender("203.0.113.5", ["198.51.100.1"]).untrusted
    assert not sender("203.0.113.5", []).untrusted
    assert not sender("10.0.0.1", ["198.51.100.1"]).untrusted


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_a_disconnected_client_has_no_address() -> None:
    """A client that disconnects right after its request causes no error and is not local."""
    seen: list[tuple[str, bool]] = []
    done = asyncio.Event()

    async def asked(connection: ServerConnection, request: Request) -> Response | None:
        await connection.wait_closed()
        try:
            found = visit_of(connection, request, PROXIES)
            seen.append((found.sender.address, found.local))
        finally:
            done.set()
        return None

    async def never(_: ServerConnection) -> None:
        raise AssertionError("no response expected")

    async def run() -> None:
        async with serve(never, "127.0.0.1", 0, process_request=asked) as server:
            with contextlib.closing(
                socket.create_connection(server.sockets[0].getsockname())
            ) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.send(UPGRADE)
            await asyncio.wait_for(done.wait(), 60)

    uvloop.run(run())
    assert seen == [("", False)]
