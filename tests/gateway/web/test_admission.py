"""Admission: each check may refuse the upgrade; the first refusal is the answer."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gateway import metrics
from gateway.web.admission import Admission
from gateway.web.basic_auth import BasicAuth
from gateway.web.visit import Visit
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock
from tests.support.clock import SettableClock
from tests.support.visits import HOST, visit

PASSWORD = {"username": "kiosk", "password": "s3cret"}
WRONG = "Basic a2lvc2s6eA=="


def admission(
    *,
    room: bool = True,
    auth: dict[str, str] | None = None,
    clock: Clock = SYSTEM,
    **settings: Any,
) -> Admission:
    """Admission of a service at ``HOST`` with settings of [LUNA_PASS], except ``limits``."""
    limits = settings.pop("limits", {})
    plugin = {"BasicAuth": {"isEnabled": auth is not None, "args": auth or {}}}
    config = Config.model_validate(
        {
            "LUNA_PASS": {"hosts": [HOST], **settings},
            "LIMITS": limits,
            "MIDDLEWARES": {"REQUEST": plugin},
        }
    )
    passwords = BasicAuth(config.MIDDLEWARES.REQUEST.BasicAuth, clock=clock)
    return Admission(config, passwords, lambda: room, clock=clock)


def status(asked: Admission, visitor: Visit) -> int:
    """Return the status of the refusal; 0 for none."""
    refused = asked.upgrade(visitor)
    return refused.status_code if refused else 0


def test_clients_are_admitted_while_there_is_room() -> None:
    """Under the limits no client is refused."""
    assert status(admission(), visit()) == 0


def test_it_refuses_while_draining() -> None:
    """A stopping gateway answers 503, so that the load balancer tries another."""
    ending = admission()
    ending.drain()
    assert status(ending, visit()) == 503


def test_it_refuses_when_full() -> None:
    """The limit on connections applies before the upgrade."""
    assert status(admission(room=False), visit()) == 503


def test_it_refuses_a_burst() -> None:
    """A burst of twice the rate is accepted; the next handshake is refused."""
    rushed = admission(limits={"handshakesPerSecond": 1.0})
    assert [status(rushed, visit()) for _ in range(3)] == [0, 0, 429]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("Host", "evil.example")], 421),
        ([("Host", "evil.example"), ("Origin", "http://evil.example")], 421),
        ([("Host", "192.0.2.1")], 0),
        ([("Host", "192.0.2.1:8321"), ("Origin", "http://192.0.2.1:8321")], 0),
        ([("Host", "192.0.2.2")], 421),
        ([("Host", "")], 400),
        ([("Host", HOST), ("Host", HOST)], 400),
        ([("Host", f"{HOST}/")], 400),
    ],
)
def test_it_refuses_another_host(fields: list[tuple[str, str]], expected: int) -> None:
    """The page does not matter: requests of a rebound site have the site's host name."""
    assert status(admission(), visit("/ws", *fields)) == expected


def test_a_host_in_the_request_line_counts() -> None:
    """The Host header is then ignored."""
    assert status(admission(), visit(f"http://{HOST}/ws", Host="evil.example")) == 0
    assert status(admission(), visit("http://evil.example/ws")) == 421


@pytest.mark.parametrize(
    ("page", "proto", "expected"),
    [
        ("https", "https", 0),
        ("http", "https", 403),
        ("http", "http", 0),
        ("http", "", 403),
        ("https", "", 0),
    ],
)
def test_behind_a_proxy_page_and_service_need_the_same_scheme(
    page: str, proto: str, expected: int
) -> None:
    """An http page is not an https service's own, even with the same host and port."""
    headers = {"X-Forwarded-For": "203.0.113.9", "Origin": f"{page}://{HOST}"}
    if proto:
        headers["X-Forwarded-Proto"] = proto
    proxied = visit("/ws", peer="127.0.0.1", trusted=("127.0.0.1",), **headers)
    assert status(admission(), proxied) == expected


@pytest.mark.parametrize(
    ("listed", "origin", "expected"),
    [
        ("https://kiosk.example", "https://kiosk.example:443", 0),
        ("HTTPS://Kiosk.example:443/", "https://kiosk.example", 0),
        ("https://bücher.example", "https://xn--bcher-kva.example", 0),
        ("*", "null", 0),
        ("https://kiosk.example", "null", 403),
        ("https://kiosk.example", "https://evil.example", 403),
    ],
)
def test_listed_pages_may_connect(listed: str, origin: str, expected: int) -> None:
    """Every spelling of the list and of the header works."""
    assert status(admission(origins=[listed]), visit(Origin=origin)) == expected


def test_a_refused_page_may_read_its_refusal_and_no_other() -> None:
    """A browser hides the answer from the page's WebSocket, so the library asks by HTTP."""
    page = visit(Origin="https://other.example")
    refused = admission().upgrade(page)
    assert refused is not None
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    ending = admission()
    ending.drain()
    for other in (ending.upgrade(page), admission(room=False).upgrade(page)):
        assert other is not None
        assert "Access-Control-Allow-Origin" not in other.headers


def test_the_page_of_basic_auth_may_connect() -> None:
    """It need not be listed twice, and a reload changes it."""
    guarded = admission(auth={"origin": "kiosk.example"})
    assert status(guarded, visit(Origin="https://kiosk.example")) == 0
    assert status(guarded, visit(Origin=f"http://{HOST}")) == 403
    assert status(guarded, visit()) == 403


def test_a_flood_of_one_client_does_not_affect_others() -> None:
    """400 upgrades a second from one address for a minute: 44 kiosks are never refused."""
    clock = SettableClock()
    guarded = admission(clock=clock)
    kiosks = [f"198.51.100.{number}" for number in range(1, 45)]
    stranger, refused = 0, []
    for number in range(60 * 400):
        clock.advance(1 / 400)
        stranger += status(guarded, visit(peer="203.0.113.9")) == 0
        if number % 400 == 399:
            refused += [kiosk for kiosk in kiosks if status(guarded, visit(peer=kiosk))]
    assert refused == []
    assert stranger == pytest.approx(50 + 25 * 60, abs=1)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Authorization": WRONG}, {}],
    ids=["host", "origin", "wrong-password", "no-password"],
)
def test_cheap_refusals_use_no_handshake(headers: dict[str, str]) -> None:
    """Any number of refused clients leaves all handshakes to the others."""
    guarded = admission(auth=PASSWORD, limits={"handshakesPerSecond": 1.0})
    for number in range(1000):
        assert status(guarded, visit(peer=f"203.0.{number // 250}.{number % 250}", **headers))
    right = visit(Authorization="Basic a2lvc2s6czNjcmV0")
    assert [status(guarded, right) for _ in range(2)] == [0, 0]


def test_an_ipv6_network_shares_its_handshakes() -> None:
    """A client with a /64 does not count as 2**64 clients."""
    guarded = admission(limits={"handshakesPerAddress": 1.0})
    answers = [status(guarded, visit(peer=f"2001:db8::{n:x}")) for n in range(1, 5)]
    assert answers == [0, 0, 429, 429]


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "full": ({"room": False}, {}),
    "host": ({}, {"Host": "evil.example"}),
    "origin": ({}, {"Origin": "https://evil.example"}),
    "password": ({"auth": PASSWORD}, {}),
    "wrong-passwords": (
        {"auth": {**PASSWORD, "wrongTries": 1, "wrongTriesPerMinute": 0.1}},
        {"Authorization": WRONG},
    ),
    "address-rate": ({"limits": {"handshakesPerAddress": 0.6}}, {}),
    "rate": ({"limits": {"handshakesPerSecond": 0.6}}, {}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_is_counted_by_its_reason(reason: str) -> None:
    """Each reason has its own metric label."""
    settings, headers = REFUSED[reason]
    guarded = admission(**settings)
    guarded.upgrade(visit(**headers))  # uses up the only one
    before = metrics.totals(metrics.REQUESTS_REFUSED, "reason")
    assert status(guarded, visit(**headers)) >= 400
    after = metrics.totals(metrics.REQUESTS_REFUSED, "reason")
    grown = {name: after[name] - before[name] for name in after}
    assert grown == dict.fromkeys(metrics.REFUSALS, 0) | {reason: 1}


Lines = list[dict[str, Any]]


def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    return [record.fields for record in caplog.records]  # type: ignore[attr-defined]


def test_a_refusal_is_logged_once_for_each_address_and_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line has origin and host, cleaned and shortened.

    The next has the number of skipped ones.
    """
    clock = SettableClock()
    guarded = admission(clock=clock)
    for _ in range(61):
        guarded.upgrade(visit(Origin="https://evil.example/\xe9" + "a" * 500))
        clock.advance(1)
    guarded.upgrade(visit(peer="192.0.2.10", Host="evil.example"))
    first, second_line, other = lines(caplog)
    assert first == {
        "reason": "origin",
        "status": 403,
        "address": "192.0.2.9",
        "origin": ("https://evil.example/?" + "a" * 500)[:100],
        "host": HOST,
    }
    assert second_line == {**first, "unlogged": 59}
    assert (other["reason"], other["status"], other["host"]) == ("host", 421, "evil.example")


def test_a_flood_from_many_addresses_does_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line per address would be too many."""
    guarded = admission(clock=SettableClock())
    for number in range(5000):
        guarded.upgrade(visit(peer=f"203.0.{number // 250}.{number % 250}", Host="evil.example"))
    assert len(lines(caplog)) == 60


REMEDIES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "host": ({}, {"Host": "kiosk.example"}, 'add "kiosk.example" to [LUNA_PASS] hosts'),
    "origin": (
        {},
        {"Origin": "https://other.example"},
        'add "https://other.example" to [LUNA_PASS] origins',
    ),
    "scheme": (
        {},
        {
            "Origin": f"http://{HOST}",
            "X-Forwarded-For": "203.0.113.1",
            "peer": "10.0.0.1",
            "trusted": ("10.0.0.1",),
        },
        "X-Forwarded-Proto",
    ),
    "basic auth": (
        {"auth": {"origin": "https://kiosk.example"}},
        {"Origin": f"http://{HOST}"},
        f"set [MIDDLEWARES.REQUEST.BasicAuth] args.origin to http://{HOST}",
    ),
    "full": ({"room": False}, {}, "[LIMITS] connections"),
    "rate": ({"limits": {"handshakesPerSecond": 0.1}}, {}, "[LIMITS] handshakesPerSecond"),
    "address": ({"limits": {"handshakesPerAddress": 0.1}}, {}, "[LIMITS] handshakesPerAddress"),
    "proxy": (
        {"limits": {"handshakesPerAddress": 0.1}},
        {"X-Forwarded-For": "203.0.113.1"},
        "[LUNA_PASS] trustedProxies",
    ),
}


@pytest.mark.parametrize("what", REMEDIES)
def test_development_names_the_setting_that_would_allow_it(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The production log does not."""
    settings, headers, remedy = REMEDIES[what]
    for env in ("development", "production"):
        admission(env=env, **settings).upgrade(visit(**headers))
    in_development, in_production = lines(caplog)
    assert remedy in in_development["remedy"]
    assert "remedy" not in in_production


def test_a_foreign_host_gets_no_page() -> None:
    """HTTP is refused like the upgrade, and the answer names the setting."""
    guarded = admission()
    assert guarded.foreign(visit("/statistics")) is None
    refused = guarded.foreign(visit("/statistics", Host="evil.example", peer="127.0.0.1"))
    assert refused is not None
    assert refused.status_code == 421
    assert b"[LUNA_PASS] hosts" in bytes(refused.body)


def test_only_wrong_passwords_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The first request of each browser has no password."""
    guarded = admission(auth=PASSWORD)
    guarded.upgrade(visit())
    assert caplog.records == []
    guarded.upgrade(visit(Authorization=WRONG))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
