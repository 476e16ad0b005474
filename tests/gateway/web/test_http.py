"""The table of paths: known paths are answered, all others are not found."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from pydantic import SecretStr

from gateway.web.bearer import Bearer
from gateway.web.http import JSON, Routes, forbid, respond
from shared.bearer_keys import METRICS_PLACE
from tests.support.visits import visit

KEY = "k" * 32


def test_a_query_does_not_change_the_path() -> None:
    """The handler is found by the path without the query."""
    routes = Routes()
    routes.add("/readyz", lambda _: respond("ready\n"))
    response = routes.answer(visit("/readyz?verbose=1"))
    assert (response.status_code, response.body) == (HTTPStatus.OK, b"ready\n")


@pytest.mark.parametrize("path", ["/", "/readyz/", "/../readyz", "//readyz", "/READYZ", ""])
def test_an_unknown_path_does_not_exist(path: str) -> None:
    """Paths are compared exactly and never normalised."""
    routes = Routes()
    routes.add("/readyz", lambda _: respond("ready\n"))
    assert routes.answer(visit(path)).status_code == HTTPStatus.NOT_FOUND


def test_a_response_has_its_length_and_type() -> None:
    """The length is in bytes; further headers are added."""
    response = respond("é", JSON, headers={"ETag": '"1"'})
    assert response.headers["Content-Length"] == "2"
    assert response.headers["Content-Type"] == JSON
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("192.0.2.8", HTTPStatus.FORBIDDEN),
        ("127.0.0.1", HTTPStatus.OK),
        ("192.0.2.7", HTTPStatus.OK),
    ],
)
def test_a_private_path_depends_on_the_client(address: str, status: HTTPStatus) -> None:
    """Only requests from this machine or accepted by the guard are answered."""
    routes = Routes()
    routes.add("/metrics", lambda _: respond("1\n"), private=True)
    refused = routes.answer(visit("/metrics", peer="192.0.2.8"))
    assert refused.status_code == HTTPStatus.FORBIDDEN
    routes.private = lambda asked, who: None if who == "192.0.2.7" else forbid(asked, who)
    assert routes.answer(visit("/metrics", peer=address)).status_code == status


def test_a_path_credential_opens_only_its_path() -> None:
    """It opens no other private path, and nothing opens without it."""
    routes = Routes()
    for path in ("/metrics", "/statistics"):
        routes.add(path, lambda _: respond("1\n"), private=True)
    routes.unlock("/metrics", Bearer(SecretStr(KEY), METRICS_PLACE).is_right)
    right = {"peer": "192.0.2.8", "Authorization": f"Bearer {KEY}"}
    assert routes.answer(visit("/metrics", **right)).status_code == HTTPStatus.OK
    assert routes.answer(visit("/statistics", **right)).status_code == HTTPStatus.FORBIDDEN
    for wrong in (f"Bearer {KEY}x", "Bearer", f"Basic {KEY}", KEY, "Bearer ü"):
        request = visit("/metrics", peer="192.0.2.8", Authorization=wrong)
        assert routes.answer(request).status_code == HTTPStatus.FORBIDDEN


def test_a_page_is_guarded_on_this_machine_too() -> None:
    """A kiosk's browser must get the password before its page opens a WebSocket."""
    routes = Routes()
    routes.add("/", lambda _: respond("page\n"), page=True)
    routes.add("/page.js", lambda _: respond("1\n"))
    assert routes.answer(visit("/")).status_code == HTTPStatus.OK
    routes.page = forbid
    assert routes.answer(visit("/", peer="127.0.0.1")).status_code == HTTPStatus.FORBIDDEN
    assert routes.answer(visit("/page.js")).status_code == HTTPStatus.OK
