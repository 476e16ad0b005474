"""Names and origins that can never match are errors; those that match too much are warnings."""

from __future__ import annotations

import pytest

from shared.config.rules import check
from shared.config.service import Config
from shared.errors import ConfigError

KEY = {"key": "0123456789abcdef0123456789abcdef"}


def config(**settings: list[str]) -> Config:
    return Config.model_validate({"LUNA_PASS": {"JWT": KEY, **settings}})


def with_origin(origin: str) -> Config:
    args = {"username": "kiosk", "password": "s3cret", "origin": origin}
    plugin = {"BasicAuth": {"isEnabled": True, "args": args}}
    return Config.model_validate({"LUNA_PASS": {"JWT": KEY}, "MIDDLEWARES": {"REQUEST": plugin}})


def test_names_and_origins_are_accepted() -> None:
    """Every spelling works."""
    hosts = ["kiosk.example", "KIOSK.example:8443", "[2001:db8::1]:8321", "bücher.example"]
    origins = ["https://kiosk.example/", "http://KIOSK.example:80", "capacitor://localhost", "*"]
    assert check(config(hosts=hosts, origins=origins)) == []


@pytest.mark.parametrize(
    "host", ["https://kiosk.example", "kiosk.example/ws", "*.example", "2001:db8::1", "a:0", ""]
)
def test_a_host_that_never_matches_is_an_error(host: str) -> None:
    """A listed name that no request can have seems to protect, but locks clients out."""
    with pytest.raises(ConfigError, match=r"\[LUNA_PASS\] hosts contains '.*', which is not a"):
        check(config(hosts=["kiosk.example", host]))


@pytest.mark.parametrize(
    "origin", ["kiosk.example", "https://kiosk.example/ws", "https://*.example", "", "//kiosk"]
)
def test_an_origin_that_never_matches_is_an_error(origin: str) -> None:
    """No browser sends it."""
    with pytest.raises(ConfigError, match=r"\[LUNA_PASS\] origins contains '.*', which no browser"):
        check(config(origins=["https://kiosk.example", origin]))


def test_allowing_every_host_is_a_warning() -> None:
    """It disables the check against DNS rebinding."""
    (warning,) = check(config(hosts=["*"]))
    assert "[LUNA_PASS] hosts contains '*'" in warning
    assert "DNS rebinding" in warning


def test_the_null_origin_is_a_warning() -> None:
    """It may be meant for a page in a file, but any site can send it."""
    (warning,) = check(config(origins=["null"]))
    assert "[LUNA_PASS] origins contains 'null'" in warning


@pytest.mark.parametrize(
    "origin",
    [
        "https://kiosk.example.org",
        "https://Kiosk.example.org/",
        "192.168.1.5",
        "kiosk.example:8443",
    ],
)
def test_basic_auth_accepts_an_origin_an_address_or_a_domain(origin: str) -> None:
    """LUNA PASS documents the address of the server or its domain."""
    assert check(with_origin(origin)) == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://kiosk.example.org/ws",
        "https://user@kiosk.example.org",
        "https://kiosk.example.org:port",
        "https://[::1",
        "null",
        "*",
        "",
    ],
)
def test_basic_auth_refuses_what_never_matches(origin: str) -> None:
    """An origin that can never match would lock all clients out."""
    with pytest.raises(ConfigError, match=r"args\.origin is '.*'; allowed: scheme://host"):
        check(with_origin(origin))
