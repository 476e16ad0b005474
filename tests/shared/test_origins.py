"""All spellings of a host or an origin have one normal form, and invalid ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.origins import Authority, parse_authority, parse_origin, parse_site

HOSTS = [
    ("kiosk.example", ("kiosk.example", None)),
    ("KIOSK.Example.", ("kiosk.example", None)),
    ("kiosk.example:8443", ("kiosk.example", 8443)),
    ("kiosk.example:", ("kiosk.example", None)),
    ("luna_pass", ("luna_pass", None)),
    ("192.0.2.1:80", ("192.0.2.1", 80)),
    ("[2001:DB8:0::1]:80", ("2001:db8::1", 80)),
    ("[::1]", ("::1", None)),
    ("bücher.example", ("xn--bcher-kva.example", None)),
    ("BÜCHER.example", ("xn--bcher-kva.example", None)),
    ("XN--bcher-kva.example", ("xn--bcher-kva.example", None)),
    ("faß.example", ("xn--fa-hia.example", None)),
]
NO_HOSTS = [
    "",
    ".",
    "a b",
    "a..b",
    "-a",
    "a" * 64,
    ".".join(["a" * 60] * 5),
    "*.example",
    "http://a",
    "a/b",
    "a?b",
    "a#b",
    "user@a",
    "a\\b",
    "a:0",
    "a:65536",
    "a:-1",
    "a:80:80",
    "a:٨٠",
    "::1",
    "[::1",
    "[::1]80",
    "[fe80::1%25eth0]",
    "[v1.a]",
    "a\tb",
    "a\n",
]


@pytest.mark.parametrize(("text", "expected"), HOSTS, ids=[text for text, _ in HOSTS])
def test_a_host_has_one_form(text: str, expected: Authority) -> None:
    """It does not depend on case, final dot, brackets and script."""
    assert parse_authority(text) == expected


@pytest.mark.parametrize("text", NO_HOSTS, ids=ascii)
def test_invalid_hosts_are_refused(text: str) -> None:
    """Each raises an error."""
    with pytest.raises(ValueError, match=r".+"):
        parse_authority(text)


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text gives a host or ValueError; a normal form is its own normal form."""
    try:
        host, port = parse_authority(text)
    except ValueError:
        return
    again = f"[{host}]" if ":" in host else host
    assert parse_authority(again if port is None else f"{again}:{port}") == (host, port)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://kiosk.example", "https://kiosk.example"),
        ("HTTPS://Kiosk.Example:443/", "https://kiosk.example"),
        ("http://kiosk.example:80", "http://kiosk.example"),
        ("http://kiosk.example:443", "http://kiosk.example:443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:8321", "http://[::1]:8321"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
        ("file://", "file://"),
    ],
)
def test_an_origin_has_one_form(text: str, expected: str) -> None:
    """It does not depend on default ports and a final slash either."""
    assert str(parse_origin(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "kiosk.example",
        "https:kiosk.example",
        "https://",
        "https://kiosk.example/ws",
        "https://kiosk.example//",
        "https://kiosk.example?",
        "https://kiosk.example#a",
        "https://user@kiosk.example",
        "https://*.example",
        "https://kiosk.example https://evil.example",
        "https://kiosk.example,https://evil.example",
        "https://[::1",
        "https://kiosk.example:port",
    ],
)
def test_invalid_origins_are_refused(text: str) -> None:
    """No browser sends them."""
    with pytest.raises(ValueError, match=r".+"):
        parse_origin(text)


@pytest.mark.parametrize(
    ("site", "origin", "same"),
    [
        ("https://kiosk.example", "https://kiosk.example:443/", True),
        ("https://kiosk.example", "http://kiosk.example", False),
        ("https://kiosk.example", "https://kiosk.example:8443", False),
        ("kiosk.example", "https://kiosk.example", True),
        ("kiosk.example", "http://kiosk.example:8321", True),
        ("kiosk.example", "ftp://kiosk.example", False),
        ("kiosk.example", "https://sub.kiosk.example", False),
        ("kiosk.example:8443", "https://kiosk.example:8443", True),
        ("kiosk.example:8443", "https://kiosk.example", False),
        ("192.0.2.1", "http://192.0.2.1:8321", True),
        ("[2001:db8::1]", "http://[2001:DB8::1]", True),
        ("file://", "file://", True),
        ("localhost", "null", False),
    ],
)
def test_a_site_stands_for_its_pages(site: str, origin: str, same: bool) -> None:
    """An address or domain alone stands for http and https at any port."""
    assert parse_site(site).has(parse_origin(origin)) is same


def test_a_site_is_not_null() -> None:
    """Pages of any site can send that."""
    with pytest.raises(ValueError, match="null"):
        parse_site("null")
