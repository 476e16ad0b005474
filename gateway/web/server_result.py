"""``GET /sessions/{id}/result``: the relying party's server asks what became of a session.

The credential is checked first, and alike for every id. So without it an answer says nothing about
a session, not even whether it exists.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from websockets.http11 import Request, Response

from gateway.sessions.session_report import SessionReport
from gateway.web.http import JSON, respond
from gateway.web.visit import Visit
from shared.config.service import Config
from shared.server_result_key import PLACE
from shared.text_files import require_no_path

PREFIX = "/sessions/"
_PATH = re.compile(r"/sessions/([0-9a-f]{32})/result")
_HEADERS = {"Cache-Control": "no-store"}
RETRY_SECONDS = 1

Lookup = Callable[[str], Awaitable[SessionReport | None]]


class ServerResult:
    """The request plugin; when it is off, its paths do not exist.

    Args:
        config: the configuration.
        lookup: finds a session by its id; raises ConnectionError where the store does not answer.
    """

    def __init__(self, config: Config, lookup: Lookup) -> None:
        self._lookup = lookup
        self.renew(config)

    def renew(self, config: Config) -> None:
        """Apply a new key.

        Raises:
            ConfigError: the key is still the path of a file.
        """
        plugin = config.MIDDLEWARES.REQUEST.ServerResult
        key = plugin.args.key.get_secret_value() if plugin.isEnabled and plugin.args.key else ""
        self._expected = _digest(require_no_path(key, PLACE)) if key else None

    async def answer(self, visit: Visit) -> Response:
        """Answer a request for a path below ``PREFIX``."""
        if self._expected is None:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        if not hmac.compare_digest(_digest(_bearer(visit.request)), self._expected):
            return _answer(HTTPStatus.UNAUTHORIZED, {}, **{"WWW-Authenticate": "Bearer"})
        found = _PATH.fullmatch(visit.path)
        if found is None:
            return _answer(HTTPStatus.NOT_FOUND, {"state": "unknown"})
        return await self._report(found[1])

    async def _report(self, session: str) -> Response:
        try:
            report = await self._lookup(session)
        except ConnectionError:
            unavailable = HTTPStatus.SERVICE_UNAVAILABLE
            return _answer(unavailable, {"state": "unavailable"}, **_retry())
        if report is None:
            return _answer(HTTPStatus.NOT_FOUND, {"state": "unknown"})
        if report.result is None:
            return _answer(HTTPStatus.ACCEPTED, report.body(session), **_retry())
        return _answer(HTTPStatus.OK, report.body(session))


def _answer(status: HTTPStatus, body: dict[str, object], **headers: str) -> Response:
    return respond(json.dumps(body), JSON, status=status, headers={**_HEADERS, **headers})


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}


def _bearer(request: Request) -> str:
    """Return the credential of a request; empty where there is not exactly one."""
    given = request.headers.get_all("Authorization")
    scheme, _, credential = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
