"""Who may open a WebSocket: the checks of the upgrade request, in order."""

from collections.abc import Callable
from http import HTTPStatus

from websockets.http11 import Response

from gateway.limits.buckets import AddressBuckets, TokenBucket
from gateway.web.basic_auth import BasicAuth
from gateway.web.hosts import OwnHosts
from gateway.web.origin import is_listed, is_own, origin_of
from gateway.web.refusal import Refusal, RefusalLog, refuse
from gateway.web.visit import Visit
from shared.config.service import Config
from shared.origins import Origin, Site, parse_origin, parse_site
from shared.process.clock import SYSTEM, Clock

ANY = "*"

READABLE = {"Access-Control-Allow-Origin": "*"}
"""Lets the refused page read its refusal: a browser hides it from a WebSocket."""

Check = Callable[[Visit], Refusal | None]
"""Returns a refusal, or None if the check passes."""


class Admission:
    """Runs the checks in order; the first refusal is counted, logged and sent.

    Checks of the request itself come first, then the rate limit of the client's address, and last
    the rate limit that all clients share: a refused client uses up no handshake of others.
    """

    def __init__(
        self,
        config: Config,
        auth: BasicAuth,
        has_room: Callable[[], bool],
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        limits = config.LIMITS
        self._auth = auth
        self._has_room = has_room
        self._hosts = OwnHosts(config.LUNA_PASS.hosts)
        self._of_address = AddressBuckets(
            limits.handshakesPerAddress, 2 * limits.handshakesPerAddress
        )
        self._of_all = TokenBucket(limits.handshakesPerSecond, 2 * limits.handshakesPerSecond)
        self._log = RefusalLog(development=config.LUNA_PASS.env == "development", clock=clock)
        self._draining = False
        self._checks: tuple[Check, ...] = (
            self._not_draining,
            self._room,
            self._own_host,
            self._allowed_page,
            self._password,
            self._pace_of_address,
            self._pace_of_all,
        )
        self.renew(config)

    def renew(self, config: Config) -> None:
        """Apply the origins of a new configuration."""
        plugin = config.MIDDLEWARES.REQUEST.BasicAuth
        self._any_page = ANY in config.LUNA_PASS.origins
        sites = [Site(*parse_origin(text)) for text in config.LUNA_PASS.origins if text != ANY]
        if plugin.isEnabled and plugin.args.origin:
            sites.append(parse_site(plugin.args.origin))
        self._sites = sites

    def drain(self) -> None:
        """Refuse all clients from now on, since the gateway is stopping."""
        self._draining = True

    def upgrade(self, visit: Visit) -> Response | None:
        """Return the refusal of an upgrade request; None to accept it."""
        for check in self._checks:
            if (refusal := check(visit)) is not None:
                self._log.record(refusal, visit)
                return refusal.response
        return None

    def foreign(self, visit: Visit) -> Response | None:
        """Return the refusal of a request for another host; None if the host is this service."""
        refusal = self._own_host(visit)
        if refusal is None:
            return None
        self._log.record(refusal, visit)
        return refusal.response

    def _not_draining(self, _visit: Visit) -> Refusal | None:
        if not self._draining:
            return None
        return refuse("draining", HTTPStatus.SERVICE_UNAVAILABLE, "restarting\n")

    def _room(self, _visit: Visit) -> Refusal | None:
        if self._has_room():
            return None
        remedy = "raise [LIMITS] connections, and ulimit -n with it"
        return refuse("full", HTTPStatus.SERVICE_UNAVAILABLE, "full\n", remedy=remedy)

    def _own_host(self, visit: Visit) -> Refusal | None:
        if visit.host is None:
            return refuse("host", HTTPStatus.BAD_REQUEST, "name one host in a Host header\n")
        if self._hosts.have(visit.host, visit.arrived_at):
            return None
        return refuse(
            "host",
            HTTPStatus.MISDIRECTED_REQUEST,
            "this host is not the service's: list it in [LUNA_PASS] hosts\n",
            remedy=f'add "{visit.named}" to [LUNA_PASS] hosts',
        )

    def _allowed_page(self, visit: Visit) -> Refusal | None:
        if not visit.origins or self._any_page:
            return None
        origin = origin_of(visit.origins)
        if origin is not None:
            own = is_own(origin, visit.host, visit.sender.scheme)
            if own or is_listed(origin, self._sites):
                return None
        return refuse(
            "origin",
            HTTPStatus.FORBIDDEN,
            "pages of this origin may not connect\n",
            remedy=_remedy(origin, visit),
            headers=READABLE,
        )

    def _password(self, visit: Visit) -> Refusal | None:
        return self._auth.admit(visit.request, visit.sender.address)

    def _pace_of_address(self, visit: Visit) -> Refusal | None:
        if self._of_address.admit(visit.sender.address, self._clock.monotonic()):
            return None
        remedy = "raise [LIMITS] handshakesPerAddress"
        if visit.sender.untrusted:
            remedy = "if this address is a proxy's, add it to [LUNA_PASS] trustedProxies"
        return _too_many("address-rate", remedy)

    def _pace_of_all(self, _visit: Visit) -> Refusal | None:
        if self._of_all.admit(self._clock.monotonic()):
            return None
        return _too_many("rate", "raise [LIMITS] handshakesPerSecond")


def _remedy(origin: Origin | None, visit: Visit) -> str:
    """Return what would allow a page to connect; empty if its origin cannot be listed."""
    if origin is None:
        return ""
    if not is_own(origin, visit.host, "http"):
        return f'add "{origin}" to [LUNA_PASS] origins'
    if visit.sender.scheme is None:
        return "let the proxy set X-Forwarded-Proto, or open the page by https"
    return "open the page by https, as the service is reached"


def _too_many(reason: str, remedy: str) -> Refusal:
    status = HTTPStatus.TOO_MANY_REQUESTS
    return refuse(reason, status, "too many handshakes\n", remedy=remedy)
