"""Handles every HTTP request of the port: refuses it, answers it, or lets it open a WebSocket."""

from collections.abc import Awaitable, Callable

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from gateway.statistics import PROMETHEUS, Statistics
from gateway.web import static_files
from gateway.web.admission import Admission
from gateway.web.basic_auth import BasicAuth
from gateway.web.bearer import Bearer
from gateway.web.consent import required_version
from gateway.web.forwarded import UnreadableLog, networks
from gateway.web.http import JSON, Routes, respond
from gateway.web.server_result import PREFIX, ServerResult
from gateway.web.visit import visit_of
from shared.bearer_keys import METRICS_PLACE
from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock

WEBSOCKET_PATHS = frozenset({"/ws", "/ws/"})
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})
"""Answered for any host: health checkers use various names, and the answers reveal nothing."""


class Front:
    """Answers requests on the event loop, before any upgrade.

    Raises:
        ResourceError: the kiosk page cannot be served.
    """

    def __init__(
        self,
        config: Config,
        *,
        statistics: Statistics,
        readiness: Callable[[], Response],
        server_result: ServerResult,
        jwks: str,
        has_room: Callable[[], bool],
        clock: Clock = SYSTEM,
    ) -> None:
        self._proxies = networks(config.LUNA_PASS.trustedProxies)
        self._auth = BasicAuth(config.MIDDLEWARES.REQUEST.BasicAuth, clock=clock)
        self._admission = Admission(config, self._auth, has_room, clock=clock)
        self._server_result = server_result
        self._scrape_token = Bearer(config.METRICS.token, METRICS_PLACE)
        self._unreadable = UnreadableLog(clock=clock)
        self._routes = self._make_routes(config, statistics, readiness, jwks)

    def _make_routes(
        self,
        config: Config,
        statistics: Statistics,
        readiness: Callable[[], Response],
        jwks: str,
    ) -> Routes:
        routes = Routes()
        routes.page = self._auth.challenge
        routes.private = self._auth.private
        routes.unlock("/metrics", lambda request: self._scrape_token.is_right(request))
        routes.add("/healthz", lambda _: respond("ok\n"))
        routes.add("/readyz", lambda _: readiness())
        routes.add("/metrics", lambda _: respond(statistics.exposition(), PROMETHEUS), private=True)
        routes.add("/statistics", lambda _: respond(statistics.json(), JSON), private=True)
        routes.add("/.well-known/jwks.json", lambda _: respond(jwks, JSON))
        if config.KIOSK.isEnabled:
            static_files.add_routes(routes, config.KIOSK, required_version(config))
        return routes

    def answer(
        self, connection: ServerConnection, request: Request
    ) -> Response | Awaitable[Response] | None:
        """Answer a connection's request; None lets it open a WebSocket."""
        visit = visit_of(connection, request, self._proxies)
        self._unreadable.record(visit.sender)
        if visit.path in WEBSOCKET_PATHS:
            return self._admission.upgrade(visit)
        refused = None if visit.path in HEALTH_PATHS else self._admission.foreign(visit)
        if refused is not None:
            return refused
        if visit.path.startswith(PREFIX):
            return self._server_result.answer(visit)
        return self._routes.answer(visit)

    def renew(self, config: Config) -> None:
        """Apply the credentials and the origins of a new configuration."""
        self._auth.renew(config.MIDDLEWARES.REQUEST.BasicAuth)
        self._admission.renew(config)
        self._server_result.renew(config)
        self._scrape_token = Bearer(config.METRICS.token, METRICS_PLACE)

    def drain(self) -> None:
        """Refuse new WebSockets from now on, since the gateway is stopping."""
        self._admission.drain()
