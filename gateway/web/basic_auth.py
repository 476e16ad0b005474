"""BasicAuth: checks name, password and origin of requests (RFC 7617, RFC 6454)."""

import base64
import binascii
import hashlib
import hmac
import logging
from http import HTTPStatus

from websockets.http11 import Request, Response

from gateway.limits.buckets import AddressBuckets
from gateway.web.http import forbid
from gateway.web.origin import origin_of
from gateway.web.refusal import Refusal, refuse
from shared.config.plugins import BasicAuthArgs, PluginSection
from shared.origins import parse_site
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

CHALLENGE = {"WWW-Authenticate": 'Basic realm="lunapass", charset="UTF-8"'}


class BasicAuth:
    """The request plugin; when it is off, it accepts every request."""

    def __init__(self, plugin: PluginSection[BasicAuthArgs], *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._take(plugin)

    def renew(self, plugin: PluginSection[BasicAuthArgs]) -> None:
        """Apply a changed section; if it is unchanged, wrong tries stay counted."""
        if plugin != self._plugin:
            self._take(plugin)

    def _take(self, plugin: PluginSection[BasicAuthArgs]) -> None:
        self._plugin = plugin
        args = plugin.args
        password = args.password.get_secret_value() if args.password else ""
        self._site = parse_site(args.origin) if plugin.isEnabled and args.origin else None
        self._requires_password = plugin.isEnabled and bool(args.username and password)
        self._expected = _digest(f"{args.username}:{password}".encode())
        self._tries_per_second = args.wrongTriesPerMinute / 60
        self._tries = AddressBuckets(self._tries_per_second, args.wrongTries)

    def admit(self, request: Request, address: str) -> Refusal | None:
        """Check an upgrade request: 403 for the wrong page, 401 for the wrong password."""
        if self._site is not None:
            origin = origin_of(request.headers.get_all("Origin"))
            if origin is None or not self._site.has(origin):
                return refuse(
                    "origin",
                    HTTPStatus.FORBIDDEN,
                    "pages of this origin may not connect\n",
                    remedy=f"set [MIDDLEWARES.REQUEST.BasicAuth] args.origin to {origin}",
                )
        return self._check_password(request, address)

    def challenge(self, request: Request, address: str) -> Response | None:
        """Check name and password; return None if they are right or none are required."""
        refusal = self._check_password(request, address)
        return None if refusal is None else refusal.response

    def _check_password(self, request: Request, address: str) -> Refusal | None:
        """Check name and password.

        An address with too many wrong passwords gets 429 without a check, so that it does not learn
        of a right guess.
        """
        if not self._requires_password:
            return None
        now = self._clock.monotonic()
        given = request.headers.get_all("Authorization")
        if given and self._tries.available(address, now) < 1:
            return refuse(
                "wrong-passwords",
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many wrong passwords\n",
                headers={"Retry-After": str(int(1 / self._tries_per_second) + 1)},
            )
        if self._is_right(given):
            return None
        if given:
            self._tries.admit(address, now)
            log.warning("wrong password", extra={"fields": {"address": address}})
        return refuse(
            "password",
            HTTPStatus.UNAUTHORIZED,
            "user name and password required\n",
            headers=CHALLENGE,
        )

    def private(self, request: Request, address: str) -> Response | None:
        """Check a request for a private path; if no password is configured, forbid it."""
        if not self._requires_password:
            return forbid(request, address)
        return self.challenge(request, address)

    def _is_right(self, given: list[str]) -> bool:
        """Compare in constant time."""
        pair = _pair(given[0]) if len(given) == 1 else None
        same = hmac.compare_digest(_digest(pair or b""), self._expected)
        return same and pair is not None


def _digest(pair: bytes) -> bytes:
    return hashlib.sha256(pair).digest()


def _pair(header: str) -> bytes | None:
    """Return ``name:password`` of an Authorization header; None if it is not valid Basic auth."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip().encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
