"""HTTP on the WebSocket's port: a table of paths, each with a handler that answers at once.

A request is answered on the event loop before any upgrade, so a handler computes and never waits;
what needs a file or another process is prepared beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from gateway.web.visit import Visit

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


Guard = Callable[[Request, str], Response | None]
"""Answers the refusal of a request from an address, or None to go on."""


def not_for_strangers(_request: Request, _address: str) -> Response | None:
    """Refuse everybody."""
    return respond("not for you\n", status=HTTPStatus.FORBIDDEN)


class Routes:
    """Finds the handler of a path; what is not in the table does not exist.

    Attributes:
        private: asked on private paths, unless somebody on this machine asks for himself.
        page: asked on the paths of pages that open a WebSocket.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._private: set[str] = set()
        self._pages: set[str] = set()
        self.private: Guard = not_for_strangers
        self.page: Guard = lambda _request, _address: None

    def add(
        self, path: str, handler: Handler, *, private: bool = False, page: bool = False
    ) -> None:
        """Answer a path by a handler; each path has one.

        Args:
            path: path without query.
            handler: answers the requests.
            private: answer only to this machine, or to who shows credentials.
            page: a page that opens a WebSocket, and so needs what that needs.
        """
        assert path not in self._handlers, path
        self._handlers[path] = handler
        if private:
            self._private.add(path)
        if page:
            self._pages.add(path)

    def answer(self, visit: Visit) -> Response:
        """Answer a request."""
        handler = self._handlers.get(visit.path)
        if handler is None:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        refused = None
        if visit.path in self._private and not visit.local:
            refused = self.private(visit.request, visit.came.address)
        elif visit.path in self._pages:
            refused = self.page(visit.request, visit.came.address)
        return refused or handler(visit.request)
