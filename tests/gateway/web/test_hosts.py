"""The service answers only under its own host names (DNS rebinding)."""

from __future__ import annotations

import pytest

from gateway.web.hosts import OwnHosts
from shared.origins import parse_authority

LISTED = ["kiosk.example", "pass.example:8443", "tls.example:443", "[2001:db8::7]"]


def have(host: str, arrived_at: str = "192.168.1.5", listed: list[str] | None = None) -> bool:
    own = OwnHosts(LISTED if listed is None else listed)
    return own.have(parse_authority(host), arrived_at)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.:9000",
        "127.0.0.1:8321",
        "127.8.9.10",
        "[::1]:8321",
        "[::ffff:127.0.0.1]",
        "192.168.1.5:8321",
        "192.168.1.5",
        "[::ffff:192.168.1.5]:80",
        "kiosk.example",
        "KIOSK.example.:8321",
        "pass.example:8443",
        "tls.example",
        "tls.example:443",
        "[2001:DB8::7]:8321",
    ],
)
def test_own_hosts(host: str) -> None:
    """Localhost, the local address of the connection, and listed names."""
    assert have(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.localhost",
        "127.0.0.1.evil.example",
        "192.168.1.5.nip.io",
        "192.168.1.6",
        "0.0.0.0",
        "[::]",
        "127.1",
        "2130706433",
        "sub.kiosk.example",
        "pass.example",
        "pass.example:8321",
        "tls.example:8443",
        "[2001:db8::8]",
    ],
)
def test_all_other_hosts_are_refused(host: str) -> None:
    """They may be similar, and resolve to any address."""
    assert not have(host)


@pytest.mark.parametrize(
    ("host", "arrived_at"),
    [
        ("192.168.1.5", "::ffff:192.168.1.5"),
        ("[fe80::1]", "fe80::1%eth0"),
        ("[2001:db8::1]:8321", "2001:db8::1"),
    ],
)
def test_the_local_address_is_read_as_sockets_write_it(host: str, arrived_at: str) -> None:
    """It may be mapped into IPv6, or have a zone id."""
    assert have(host, arrived_at, [])


def test_without_a_local_address_only_names_are_known() -> None:
    """The client has disconnected, or the socket is of another kind."""
    assert have("localhost", "", [])
    assert not have("192.168.1.5", "", [])


def test_a_star_accepts_every_host() -> None:
    """It disables the check."""
    assert have("evil.example", listed=["*"])
