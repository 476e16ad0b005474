"""BasicAuth: name, password and origin asked of the upgrade request (RFC 7617, RFC 6454)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from http import HTTPStatus

from websockets.http11 import Request, Response

from gateway.sessions.tries import WrongTries
from gateway.web.http import not_for_strangers
from gateway.web.origin import origin_of
from gateway.web.refusal import Refusal, refuse
from shared.config.plugins import BasicAuthPlugin
from shared.origins import parse_site
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

CHALLENGE = {"WWW-Authenticate": 'Basic realm="lunapass", charset="UTF-8"'}


class BasicAuth:
    """The request plugin; one that is off refuses nobody.

    Args:
        plugin: its section.
        clock: times the wrong passwords of an address.
    """

    def __init__(self, plugin: BasicAuthPlugin, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.renew(plugin)

    def renew(self, plugin: BasicAuthPlugin) -> None:
        """Take another name, password or origin from now on."""
        args = plugin.args
        password = args.password.get_secret_value() if args.password else ""
        self._site = parse_site(args.origin) if plugin.isEnabled and args.origin else None
        self._asks = plugin.isEnabled and bool(args.username and password)
        self._expected = _digest(f"{args.username}:{password}".encode())
        self._tries = WrongTries(args.wrongTries, args.wrongTriesPerMinute)

    def admit(self, request: Request, address: str) -> Refusal | None:
        """Judge an upgrade request: 403 for the wrong page, 401 for the wrong password."""
        if self._site is not None:
            origin = origin_of(request.headers.get_all("Origin"))
            if origin is None or not self._site.has(origin):
                return refuse(
                    "origin",
                    HTTPStatus.FORBIDDEN,
                    "pages of this origin may not connect\n",
                    remedy=f"set [MIDDLEWARES.REQUEST.BasicAuth] args.origin to {origin}",
                )
        return self._judge(request, address)

    def challenge(self, request: Request, address: str) -> Response | None:
        """Ask a request for name and password; None where they are right, or none are asked for."""
        refusal = self._judge(request, address)
        return None if refusal is None else refusal.response

    def _judge(self, request: Request, address: str) -> Refusal | None:
        """Judge name and password.

        An address that was wrong too often is answered 429 without a look at what it sends, so
        that it learns nothing from a right guess.
        """
        if not self._asks:
            return None
        now = self._clock.monotonic()
        given = request.headers.get_all("Authorization")
        if given and self._tries.exhausted(address, now):
            return refuse(
                "wrong-passwords",
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many wrong passwords\n",
                headers={"Retry-After": str(self._tries.pause)},
            )
        if self._right(given):
            return None
        if given:
            self._tries.note(address, now)
            log.warning("wrong password", extra={"fields": {"address": address}})
        return refuse(
            "password", HTTPStatus.UNAUTHORIZED, "name and password, please\n", headers=CHALLENGE
        )

    def private(self, request: Request, address: str) -> Response | None:
        """Judge a request for what is not for everybody: without a password it is for nobody."""
        if not self._asks:
            return not_for_strangers(request, address)
        return self.challenge(request, address)

    def _right(self, given: list[str]) -> bool:
        """Compare in a time that does not depend on what was given."""
        pair = _pair(given[0]) if len(given) == 1 else None
        same = hmac.compare_digest(_digest(pair or b""), self._expected)
        return same and pair is not None


def _digest(pair: bytes) -> bytes:
    return hashlib.sha256(pair).digest()


def _pair(header: str) -> bytes | None:
    """Bytes of ``name:password`` in an Authorization header; None where it is no such header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip().encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
