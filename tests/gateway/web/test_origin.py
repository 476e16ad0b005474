"""Pages of the service's own host and listed pages may connect; similar ones may not."""

from __future__ import annotations

import pytest

from gateway.web.origin import is_listed, is_own, origin_of
from shared.origins import parse_authority, parse_site

HOST = "pass.example:8321"
LISTED = ["https://kiosk.example", "https://BÜCHER.example/", "http://plain.example:80"]

ALLOWED = [
    ["http://pass.example:8321"],
    ["https://pass.example:8321"],
    ["HTTP://PASS.EXAMPLE:8321"],
    ["https://kiosk.example"],
    ["https://KIOSK.example"],
    ["https://kiosk.example:443"],
    ["https://kiosk.example/"],
    ["https://xn--bcher-kva.example"],
    ["http://plain.example"],
]
REFUSED = [
    ["http://pass.example"],
    ["http://pass.example:8322"],
    ["http://pass.example:8321.evil.example"],
    ["http://evil.example/pass.example:8321"],
    ["http://pass.example:8321@evil.example"],
    ["http://evil.example#pass.example:8321"],
    ["http://notpass.example:8321"],
    ["ftp://pass.example:8321"],
    ["http://kiosk.example"],
    ["https://kiosk.example.evil.example"],
    ["https://kiosk.example:444"],
    ["https://plain.example"],
    ["null"],
    ["file://"],
    [""],
    ["http://[::1"],
    ["pass.example:8321"],
    ["http://pass.example:8321", "https://kiosk.example"],
    ["https://b\xc3\xbccher.example"],
]


def may_connect(origins: list[str], host: str = HOST, scheme: str | None = "http") -> bool:
    origin = origin_of(origins)
    if origin is None:
        return False
    sites = [parse_site(text) for text in LISTED]
    return is_own(origin, parse_authority(host), scheme) or is_listed(origin, sites)


@pytest.mark.parametrize("origins", ALLOWED, ids=str)
def test_own_and_listed_pages_may_connect(origins: list[str]) -> None:
    """Every spelling of origin and list works."""
    assert may_connect(origins)


@pytest.mark.parametrize("origins", REFUSED, ids=ascii)
def test_other_pages_may_not_connect(origins: list[str]) -> None:
    """They may be similar."""
    assert not may_connect(origins)


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://pass.example", "pass.example", True),
        ("http://pass.example", "pass.example:80", True),
        ("https://pass.example", "pass.example", True),
        ("https://pass.example:8443", "pass.example:8443", True),
        ("https://pass.example", "pass.example:80", False),
        ("http://[::1]:8321", "[::1]:8321", True),
        ("http://localhost:8321", "127.0.0.1:8321", False),
    ],
)
def test_a_missing_port_is_the_default_of_the_scheme(origin: str, host: str, own: bool) -> None:
    """This holds on both sides."""
    assert may_connect([origin], host) is own


@pytest.mark.parametrize(
    ("page", "scheme", "own"),
    [
        ("http", "http", True),
        ("http", "https", False),
        ("http", None, False),
        ("https", "http", True),
        ("https", "https", True),
        ("https", None, True),
    ],
)
def test_an_http_page_does_not_belong_to_an_https_service(
    page: str, scheme: str, own: bool
) -> None:
    """An attacker on the network can inject an http page; an unknown scheme counts as https."""
    assert may_connect([f"{page}://pass.example"], "pass.example", scheme) is own


def test_without_a_host_only_listed_pages_may_connect() -> None:
    """No page is the service's own then."""
    own = origin_of(["http://pass.example"])
    assert own is not None
    assert not is_own(own, None, "http")
