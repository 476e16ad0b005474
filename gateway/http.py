"""HTTP on the WebSocket's port: a table of paths, each with a handler that answers at once.

A request is answered on the event loop before any upgrade, so a handler computes and never waits;
what needs a file or another process is prepared beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from ipaddress import ip_address

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from gateway.forwarded import peer_of

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


FORWARDED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)
"""Headers by which a proxy says that it asks for somebody else."""


def is_local(connection: ServerConnection, request: Request) -> bool:
    """Tell whether somebody on this machine asks, and not a proxy for somebody else."""
    try:
        loopback = ip_address(peer_of(connection)).is_loopback
    except ValueError:  # no address: gone already, or another kind of socket
        return False
    return loopback and not any(name in request.headers for name in FORWARDED)


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

    def answer(self, request: Request, *, local: bool = False, address: str = "") -> Response:
        """Answer a request.

        Args:
            request: the request.
            local: somebody on this machine asks for himself.
            address: the client's.
        """
        path = path_of(request)
        handler = self._handlers.get(path)
        if handler is None:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        refused = None
        if path in self._private and not local:
            refused = self.private(request, address)
        elif path in self._pages:
            refused = self.page(request, address)
        return refused or handler(request)
