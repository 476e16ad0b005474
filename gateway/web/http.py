"""HTTP on the WebSocket's port: a table of paths with their handlers.

Handlers run on the event loop and never wait; what needs a file or another process is prepared
beforehand.
"""

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


def without_body(response: Response) -> Response:
    """Return the answer to HEAD: the headers that GET would get, and no body (RFC 9110, 9.3.2)."""
    return Response(response.status_code, response.reason_phrase, response.headers, b"")


def finish(_connection: object, request: Request, response: Response) -> Response:
    """Adapt an answer to its method; for ``websockets.serve(process_response=...)``."""
    return without_body(response) if request.method == "HEAD" else response


Guard = Callable[[Request, str], Response | None]
"""Returns the refusal of a request from an address; None to accept it."""


def forbid(_request: Request, _address: str) -> Response | None:
    """Refuse every request."""
    text = "403: only from this machine or with credentials, see docs/operations.md\n"
    return respond(text, status=HTTPStatus.FORBIDDEN)


class Routes:
    """The handlers by path; any other path is not found.

    ``private`` guards private paths against requests that are not local, ``page`` the pages that
    open a WebSocket.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._private: set[str] = set()
        self._pages: set[str] = set()
        self._unlocked: dict[str, Callable[[Request], bool]] = {}
        self.private: Guard = forbid
        self.page: Guard = lambda _request, _address: None

    def add(
        self, path: str, handler: Handler, *, private: bool = False, page: bool = False
    ) -> None:
        """Add the handler of a path; each path has one.

        A ``private`` path is answered only from this machine or with credentials. A ``page`` opens
        a WebSocket, so it requires the same credentials.
        """
        assert path not in self._handlers, path
        self._handlers[path] = handler
        if private:
            self._private.add(path)
        if page:
            self._pages.add(path)

    def unlock(self, path: str, has_credential: Callable[[Request], bool]) -> None:
        """Answer requests for a private path if they have a credential of its own, too."""
        self._unlocked[path] = has_credential

    def answer(self, visit: Visit) -> Response:
        """Answer a request."""
        handler = self._handlers.get(visit.path)
        if handler is None:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        refused = None
        if visit.path in self._private and not self._may_read(visit):
            refused = self.private(visit.request, visit.sender.address)
        elif visit.path in self._pages:
            refused = self.page(visit.request, visit.sender.address)
        return refused or handler(visit.request)

    def _may_read(self, visit: Visit) -> bool:
        has_credential = self._unlocked.get(visit.path)
        return visit.local or (has_credential is not None and has_credential(visit.request))
