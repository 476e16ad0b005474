"""HTTP on the WebSocket's port: a table of paths, each with a handler that answers at once.

A request is answered on the event loop before any upgrade, so a handler computes and never waits;
what needs a file or another process is prepared beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

Handler = Callable[[Request], Response]

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


def respond(
    body: bytes | str,
    content_type: str = TEXT,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make a response; the connection ends after it."""
    data = body.encode() if isinstance(body, str) else body
    fields = Headers(
        {"Content-Type": content_type, "Content-Length": str(len(data)), "Connection": "close"}
    )
    for name, value in (headers or {}).items():
        fields[name] = value
    return Response(status, status.phrase, fields, data)


def path_of(request: Request) -> str:
    """Path of a request, without its query."""
    return request.path.partition("?")[0]


class Routes:
    """Finds the handler of a path; what is not in the table does not exist."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, path: str, handler: Handler) -> None:
        """Answer a path by a handler; each path has one."""
        assert path not in self._handlers, path
        self._handlers[path] = handler

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        handler = self._handlers.get(path_of(request))
        if handler is None:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        return handler(request)
