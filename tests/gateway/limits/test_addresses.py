"""Addresses are parsed as sockets and proxies write them; limits count a /64 as one client."""

from __future__ import annotations

import pytest

from gateway.limits.addresses import address_digest, limit_key, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("kiosk", "None"),
        ("192.0.2.1:80", "None"),
        ("192.0.2", "None"),
        ("", "None"),
    ],
)
def test_an_address_is_read(text: str, expected: str) -> None:
    """An IPv4 client of a dual-stack socket counts as IPv4."""
    assert str(parse_address(text)) == expected


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("unknown", "unknown", True),
        ("", "192.0.2.1", False),
    ],
)
def test_a_limit_counts_an_ipv6_network_as_one(first: str, second: str, same: bool) -> None:
    """A client with a /64 can use 2**64 addresses."""
    assert (limit_key(first) == limit_key(second)) is same


def test_a_digest_does_not_reveal_the_address() -> None:
    """It depends on address and key; gateways with the same key get the same one."""
    one = address_digest(b"k", "192.0.2.1")
    assert one == address_digest(b"k", "192.0.2.1")
    assert len({one, address_digest(b"k", "192.0.2.2"), address_digest(b"other", "192.0.2.1")}) == 3
    assert len(one) == 32
