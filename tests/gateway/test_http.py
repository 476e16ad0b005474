"""The table of paths: known ones answer, everything else does not exist."""

from __future__ import annotations

from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.http import JSON, Routes, is_local, not_for_strangers, respond


def request(path: str) -> Request:
    return Request(path, Headers())


def test_a_query_does_not_change_the_path() -> None:
    """The handler of a path answers whatever the query says."""
    routes = Routes()
    routes.add("/readyz", lambda _: respond("ready\n"))
    response = routes.answer(request("/readyz?verbose=1"))
    assert (response.status_code, response.body) == (HTTPStatus.OK, b"ready\n")


@pytest.mark.parametrize("path", ["/", "/readyz/", "/../readyz", "//readyz", "/READYZ", ""])
def test_an_unknown_path_does_not_exist(path: str) -> None:
    """Only exact paths are found: nothing is normalised, so nothing can be tricked."""
    routes = Routes()
    routes.add("/readyz", lambda _: respond("ready\n"))
    assert routes.answer(request(path)).status_code == HTTPStatus.NOT_FOUND


def test_a_response_tells_its_length_and_type() -> None:
    """Length is in bytes, not characters, and further headers are added."""
    response = respond("é", JSON, headers={"ETag": '"1"'})
    assert response.headers["Content-Length"] == "2"
    assert response.headers["Content-Type"] == JSON
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("local", "address", "status"),
    [
        (False, "192.0.2.8", HTTPStatus.FORBIDDEN),
        (True, "127.0.0.1", HTTPStatus.OK),
        (False, "192.0.2.7", HTTPStatus.OK),
    ],
)
def test_a_private_path_asks_who_asks(local: bool, address: str, status: HTTPStatus) -> None:
    """Only this machine, or whom the guard lets through, gets an answer."""
    routes = Routes()
    routes.add("/metrics", lambda _: respond("1\n"), private=True)
    refused = routes.answer(request("/metrics"), address=address)
    assert refused.status_code == HTTPStatus.FORBIDDEN
    routes.private = lambda asked, who: (
        None if who == "192.0.2.7" else not_for_strangers(asked, who)
    )
    answer = routes.answer(request("/metrics"), local=local, address=address)
    assert answer.status_code == status


def test_a_page_is_guarded_on_this_machine_too() -> None:
    """A kiosk's browser must learn the password before its page opens a WebSocket."""
    routes = Routes()
    routes.add("/", lambda _: respond("page\n"), page=True)
    routes.add("/page.js", lambda _: respond("1\n"))
    assert routes.answer(request("/")).status_code == HTTPStatus.OK
    routes.page = not_for_strangers
    assert routes.answer(request("/"), local=True).status_code == HTTPStatus.FORBIDDEN
    assert routes.answer(request("/page.js")).status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("address", "headers", "local"),
    [
        (("127.0.0.1", 1), {}, True),
        (("::1", 1, 0, 0), {}, True),
        (("192.0.2.7", 1), {}, False),
        (("127.0.0.1", 1), {"X-Forwarded-For": "127.0.0.1"}, False),
        (("127.0.0.1", 1), {"Forwarded": "for=127.0.0.1"}, False),
        (("127.0.0.1", 1), {"x-real-ip": "127.0.0.1"}, False),
        ("", {}, False),
    ],
)
def test_local_is_who_asks_for_himself(
    address: object, headers: dict[str, str], local: bool
) -> None:
    """Loopback counts only without a proxy's headers: behind a proxy everybody is loopback."""
    connection: Any = SimpleNamespace(remote_address=address)
    assert is_local(connection, Request("/metrics", Headers(headers))) is local
