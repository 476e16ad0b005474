"""Who may open a WebSocket: checks of the upgrade request, in order, before anything is begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from gateway.http import respond
from gateway.limits import TokenBucket
from gateway.origin import is_allowed
from shared.config import LimitsSection

Check = Callable[[ServerConnection, Request], Response | None]
"""Answers the refusal, or None where it does not object."""


class Admission:
    """Asks each check in turn; the first refusal is the answer.

    Args:
        limits: bounds of connections and handshakes.
        connections: gives the number of open connections.

    Attributes:
        draining: refuse everybody, since the gateway ends.
        origins: pages of other hosts that may connect.
        checks: what is asked, in order; a request plugin appends its own.
    """

    def __init__(self, limits: LimitsSection, connections: Callable[[], int]) -> None:
        self._limits = limits
        self._connections = connections
        self._handshakes = TokenBucket(limits.handshakesPerSecond, 2 * limits.handshakesPerSecond)
        self.draining = False
        self.origins: Sequence[str] = ()
        self.checks: list[Check] = [self._not_draining, self._room, self._pace, self._own_page]

    def refusal(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer the refusal of an upgrade request, or None to go on."""
        for check in self.checks:
            if (refused := check(connection, request)) is not None:
                return refused
        return None

    def _not_draining(self, _connection: ServerConnection, _request: Request) -> Response | None:
        if not self.draining:
            return None
        return respond("restarting\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def _room(self, _connection: ServerConnection, _request: Request) -> Response | None:
        if self._connections() < self._limits.connections:
            return None
        return respond("full\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def _own_page(self, _connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        host = headers.get_all("Host")
        own = host[0] if len(host) == 1 else ""
        if is_allowed(headers.get_all("Origin"), own, self.origins):
            return None
        return respond("pages of this origin may not connect\n", status=HTTPStatus.FORBIDDEN)

    def _pace(self, _connection: ServerConnection, _request: Request) -> Response | None:
        if self._handshakes.admit():
            return None
        return respond("too many handshakes\n", status=HTTPStatus.TOO_MANY_REQUESTS)
