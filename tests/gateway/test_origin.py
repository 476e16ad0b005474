"""A page may connect to its own host and where it is listed; look-alikes may not."""

from __future__ import annotations

import pytest

from gateway.origin import is_allowed

HOST = "pass.example:8321"
LISTED = ["https://kiosk.example"]

ALLOWED = [
    ["http://pass.example:8321"],
    ["https://pass.example:8321"],
    ["HTTP://PASS.EXAMPLE:8321"],
    ["https://kiosk.example"],
    ["https://KIOSK.example"],
    [],
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
    ["null"],
    [""],
    ["http://[::1"],
    ["pass.example:8321"],
    ["http://pass.example:8321", "https://kiosk.example"],
]


@pytest.mark.parametrize("origins", ALLOWED, ids=str)
def test_own_and_listed_pages_may_connect(origins: list[str]) -> None:
    """So may clients that are no browsers and name no page."""
    assert is_allowed(origins, HOST, LISTED)


@pytest.mark.parametrize("origins", REFUSED, ids=str)
def test_all_others_may_not(origins: list[str]) -> None:
    """However much they look alike."""
    assert not is_allowed(origins, HOST, LISTED)


def test_without_a_host_only_listed_pages_may_connect() -> None:
    """An empty Host is nobody's own."""
    assert not is_allowed(["http://"], "", LISTED)
    assert is_allowed(["https://kiosk.example"], "", LISTED)


def test_a_star_lets_every_page_connect() -> None:
    """Whoever wants that must say so."""
    assert is_allowed(["https://evil.example"], HOST, ["*"])
