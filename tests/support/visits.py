"""Requests as the gateway sees them, without a socket."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.web.forwarded import networks
from gateway.web.visit import Visit, visit_of

HOST = "pass.example:8321"


def headers_of(*fields: tuple[str, str], **more: str) -> Headers:
    """Return headers; underscores in the names of keywords stand for hyphens."""
    headers = Headers()
    for name, value in [*fields, *more.items()]:
        headers[name.replace("_", "-")] = value
    return headers


def visit(
    path: str = "/ws",
    *fields: tuple[str, str],
    peer: str = "192.0.2.9",
    arrived_at: str = "192.0.2.1",
    trusted: tuple[str, ...] = (),
    **more: str,
) -> Visit:
    """Return a request to ``HOST``, unless other Host lines are given."""
    if not any(name == "Host" for name, _ in fields) and "Host" not in more:
        more["Host"] = HOST
    connection: Any = SimpleNamespace(
        remote_address=(peer, 40_000), local_address=(arrived_at, 8321)
    )
    return visit_of(connection, Request(path, headers_of(*fields, **more)), networks(trusted))
