"""A request's path, its host, and whether it comes from this machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from websockets.http11 import Request

from gateway.web.visit import is_local
from tests.support.visits import headers_of, visit


@pytest.mark.parametrize(
    ("line", "path", "named"),
    [
        ("/ws", "/ws", "a.example"),
        ("/ws?session=00", "/ws", "a.example"),
        ("http://b.example/ws", "/ws", "b.example"),
        ("HTTPS://b.example:8321/ws/?session=00", "/ws/", "b.example:8321"),
        ("http://b.example", "/", "b.example"),
        ("http://b.example?x", "/", "b.example"),
        ("http:///ws", "/ws", ""),
        ("ftp://b.example/ws", "ftp://b.example/ws", "a.example"),
        ("b.example:443", "b.example:443", "a.example"),
        ("*", "*", "a.example"),
        ("//b.example/ws", "//b.example/ws", "a.example"),
    ],
)
def test_the_request_line_may_name_the_host(line: str, path: str, named: str) -> None:
    """In absolute form it counts, and the Host header does not (RFC 9112, section 3.2.2)."""
    asked = visit(line, Host="a.example")
    assert (asked.path, asked.named) == (path, named)


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["a.example", "a.example"],
        ["a.example", "b.example"],
        ["a.example, b.example"],
        ["http://a.example"],
        ["user@a.example"],
        ["a.example/"],
        ["a.example:port"],
        ["[::1"],
        ["::1"],
        ["b\xfccher.example"],
        ["a" * 8000],
    ],
    ids=lambda hosts: ascii(hosts)[:40],
)
def test_a_request_without_exactly_one_host_has_none(hosts: list[str]) -> None:
    """Missing, repeated and malformed hosts are never the service's own."""
    assert visit("/ws", *(("Host", host) for host in hosts or [""])).host is None


@pytest.mark.parametrize(
    ("address", "headers", "local"),
    [
        (("127.0.0.1", 1), {}, True),
        (("::1", 1, 0, 0), {}, True),
        (("::ffff:127.0.0.1", 1, 0, 0), {}, True),
        (("192.0.2.7", 1), {}, False),
        (("127.0.0.1", 1), {"X-Forwarded-For": "127.0.0.1"}, False),
        (("127.0.0.1", 1), {"Forwarded": "for=127.0.0.1"}, False),
        (("127.0.0.1", 1), {"x-real-ip": "127.0.0.1"}, False),
        (("127.0.0.1", 1), {"X-Forwarded-Server": "proxy"}, False),
        (("127.0.0.1", 1), {"X-Forwarded-Ssl": "on"}, False),
        (("127.0.0.1", 1), {"CF-Connecting-IP": "192.0.2.7"}, False),
        ("", {}, False),
        (None, {}, False),
    ],
)
def test_only_a_direct_request_is_local(
    address: object, headers: dict[str, str], local: bool
) -> None:
    """Loopback counts only without a proxy's headers: all clients of a local proxy have it."""
    connection: Any = SimpleNamespace(remote_address=address)
    assert is_local(connection, Request("/metrics", headers_of(**headers)), ()) is local


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_trusted_proxy_is_never_local(peer: str) -> None:
    """It forwards requests even without a header, so it must not open the private paths."""
    loopback = ("127.0.0.0/8", "::1/128")
    assert visit("/metrics", peer=peer).local
    assert not visit("/metrics", peer=peer, trusted=loopback).local
    assert visit("/metrics", peer=peer, trusted=("127.0.0.2/32",)).local
