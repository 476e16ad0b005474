"""BasicAuth: only the right password and the right page are accepted, and guesses are limited."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.web.basic_auth import BasicAuth
from shared.config.plugins import BasicAuthArgs, PluginSection
from shared.process.clock import SYSTEM, Clock
from tests.support.clock import SettableClock

ORIGIN = "https://kiosk.example.org"
ADDRESS = "192.0.2.7"


def plugin(*, clock: Clock = SYSTEM, **args: object) -> BasicAuth:
    section = PluginSection[BasicAuthArgs].model_validate({"isEnabled": True, "args": args})
    return BasicAuth(section, clock=clock)


def password_only(*, clock: Clock = SYSTEM, **args: object) -> BasicAuth:
    return plugin(clock=clock, username="kiosk", password="pass:wörd", **args)


def request(*fields: tuple[str, str]) -> Request:
    headers = Headers()
    for name, value in fields:
        headers[name] = value
    return Request("/ws", headers)


def basic(pair: str, scheme: str = "Basic") -> tuple[str, str]:
    return "Authorization", f"{scheme} {base64.b64encode(pair.encode()).decode()}"


RIGHT = basic("kiosk:pass:wörd")


def status(auth: BasicAuth, *fields: tuple[str, str], address: str = ADDRESS) -> int:
    """Return the status of the refusal; 0 for none."""
    refused = auth.admit(request(*fields), address)
    return refused.response.status_code if refused else 0


def test_correct_credentials_are_admitted() -> None:
    """A password may contain a colon and any script; the scheme is case-insensitive."""
    assert status(password_only(), RIGHT) == 0
    assert status(password_only(), basic("kiosk:pass:wörd", "bAsIc")) == 0


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [basic("kiosk:wrong")],
        [basic("kiosk:pass:wörd ")],
        [basic("Kiosk:pass:wörd")],
        [basic("kiosk:")],
        [basic(":pass:wörd")],
        [basic("kiosk")],
        [basic("")],
        [basic("kiosk:pass:wörd", "Bearer")],
        [RIGHT, RIGHT],
        [basic("a:b"), RIGHT],
        [("Authorization", "Basic")],
        [("Authorization", "Basic ####")],
        [("Authorization", RIGHT[1] + "=A")],
        [("Authorization", "Basic\t" + RIGHT[1][6:])],
        [("Authorization", "Basic ä")],
        [("Cookie", "Authorization=" + RIGHT[1])],
    ],
)
def test_missing_or_malformed_credentials_are_challenged(fields: list[tuple[str, str]]) -> None:
    """401 has the challenge, for which a browser asks its user."""
    refused = password_only().challenge(request(*fields), ADDRESS)
    assert refused is not None
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic realm=")


@given(st.text(max_size=40))
def test_wrong_credentials_are_refused(pair: str) -> None:
    """Any other value is."""
    field = ("Authorization", "Basic " + base64.b64encode(pair.encode("utf-8", "replace")).decode())
    assert status(password_only(), field) == (0 if pair == "kiosk:pass:wörd" else 401)


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["null"],
        [""],
        ["http://kiosk.example.org"],
        ["https://kiosk.example.org:8443"],
        ["https://kiosk.example.org/ws"],
        ["https://kiosk.example.org.evil.test"],
        ["https://evil.test/?https://kiosk.example.org"],
        ["https://evilkiosk.example.org"],
        ["https://sub.kiosk.example.org"],
        ["https://example.org"],
        ["https://kiosk.example.org@evil.test"],
        ["https://kiosk-example.org"],
        ["https://kiosk.xn--exmple-cua.org"],
        ["https://xn--kiosk.example.org"],
        ["kiosk.example.org"],
        ["https://kiosk.example.org https://evil.test"],
        ["https://kiosk.example.org,https://evil.test"],
        [ORIGIN, "https://evil.test"],
        [ORIGIN, ORIGIN],
        ["*"],
        ["file://"],
    ],
)
def test_no_other_page_is_admitted(origins: list[str]) -> None:
    """403, even with the correct password."""
    auth = password_only(origin=ORIGIN)
    assert status(auth, RIGHT, *(("Origin", origin) for origin in origins)) == 403
    assert status(plugin(origin=ORIGIN), *(("Origin", origin) for origin in origins)) == 403


@pytest.mark.parametrize(
    ("configured", "sent", "admitted"),
    [
        (ORIGIN, "https://kiosk.example.org:443", True),
        (ORIGIN, "HTTPS://KIOSK.example.org./", True),
        ("HTTPS://Kiosk.example.org:443/", ORIGIN, True),
        ("https://bücher.example", "https://xn--bcher-kva.example", True),
        ("kiosk.example.org", ORIGIN, True),
        ("kiosk.example.org", "http://kiosk.example.org:8321", True),
        ("kiosk.example.org", "https://sub.kiosk.example.org", False),
        ("kiosk.example.org", "https://kiosk.example.org.evil.test", False),
        ("192.168.1.5", "http://192.168.1.5:8321", True),
        ("192.168.1.5", "http://192.168.1.50", False),
        ("[2001:db8::1]:8321", "http://[2001:DB8::1]:8321", True),
        ("[2001:db8::1]:8321", "http://[2001:db8::1]", False),
    ],
)
def test_the_page_may_be_an_origin_an_address_or_a_domain(
    configured: str, sent: str, admitted: bool
) -> None:
    """An address or domain alone means http and https at any port."""
    assert status(plugin(origin=configured), ("Origin", sent)) == (0 if admitted else 403)


def test_the_right_page_still_needs_the_password() -> None:
    """Both are checked, the page first."""
    auth = password_only(origin=ORIGIN)
    assert status(auth, ("Origin", ORIGIN), RIGHT) == 0
    assert status(auth, ("Origin", ORIGIN)) == 401
    assert status(plugin(origin=ORIGIN), ("Origin", ORIGIN)) == 0


def test_guessing_is_slowed_by_address() -> None:
    """After some wrong attempts the answer is 429, even to the correct password.

    Other addresses are not affected.
    """
    clock = SettableClock()
    auth = password_only(clock=clock, wrongTries=3, wrongTriesPerMinute=6.0)
    answers = [status(auth, basic(f"kiosk:{guess}")) for guess in range(10)]
    assert answers == [401] * 3 + [429] * 7
    refused = auth.challenge(request(RIGHT), ADDRESS)
    assert refused is not None
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "11")
    assert status(auth) == 401  # a request without a password is no guess
    assert status(auth, RIGHT, address="192.0.2.8") == 0
    clock.advance(11)
    assert status(auth, RIGHT) == 0
    assert [status(auth, basic("kiosk:x")) for _ in range(2)] == [401, 429]


def test_a_request_without_a_password_is_no_attempt() -> None:
    """Browsers send one first; correct passwords cost nothing either."""
    auth = password_only(wrongTries=1)
    assert [status(auth) for _ in range(20)] == [401] * 20
    assert [status(auth, RIGHT) for _ in range(20)] == [0] * 20


def test_a_disabled_plugin_refuses_and_opens_nothing() -> None:
    """Its arguments apply only when it is on; private paths stay closed."""
    args = {"username": "kiosk", "password": "p", "origin": ORIGIN}
    auth = BasicAuth(
        PluginSection[BasicAuthArgs].model_validate({"isEnabled": False, "args": args})
    )
    assert status(auth) == 0
    for shut in (auth, plugin(origin=ORIGIN)):
        refused = shut.private(request(basic("kiosk:p")), ADDRESS)
        assert refused is not None
        assert refused.status_code == 403


def test_private_paths_open_to_the_password() -> None:
    """Other machines need the password; the origin does not matter there."""
    auth = password_only(origin=ORIGIN)
    refused = auth.private(request(), ADDRESS)
    assert refused is not None
    assert refused.status_code == 401
    assert auth.private(request(RIGHT), ADDRESS) is None


def test_a_reload_changes_the_password() -> None:
    """The old one is no longer accepted."""
    auth = password_only()
    args = {"username": "kiosk", "password": "other"}
    auth.renew(PluginSection[BasicAuthArgs].model_validate({"isEnabled": True, "args": args}))
    assert status(auth, RIGHT) == 401
    assert status(auth, basic("kiosk:other")) == 0


def test_a_reload_without_changes_keeps_the_count_of_wrong_attempts() -> None:
    """A changed section restarts the count."""
    auth = password_only(wrongTries=1)
    assert status(auth, basic("kiosk:x")) == 401
    for username, expected in [("kiosk", 429), ("other", 401)]:
        args = {"username": username, "password": "pass:wörd", "wrongTries": 1}
        auth.renew(PluginSection[BasicAuthArgs].model_validate({"isEnabled": True, "args": args}))
        assert status(auth, basic("kiosk:x")) == expected
