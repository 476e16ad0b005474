"""The table of paths: known ones answer, everything else does not exist."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.http import JSON, Routes, respond


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
