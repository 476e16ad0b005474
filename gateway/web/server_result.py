"""``GET /sessions/{id}/result``: the relying party's server asks for the outcome of a session.

The credential is checked first, and alike for every id. So without it an answer says nothing about
a session, not even whether it exists.
"""

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from websockets.http11 import Response

from gateway.sessions.session_report import SessionReport
from gateway.web.bearer import CHALLENGE, Bearer
from gateway.web.http import JSON, respond
from gateway.web.visit import Visit
from shared.bearer_keys import RESULT_PLACE
from shared.config.service import Config

PREFIX = "/sessions/"
_PATH = re.compile(r"/sessions/([0-9a-f]{32})/result")
_HEADERS = {"Cache-Control": "no-store"}
_RETRY = {"Retry-After": "1"}

Lookup = Callable[[str], Awaitable[SessionReport | None]]


class ServerResult:
    """The request plugin; when it is off, its paths do not exist.

    ``lookup`` raises ConnectionError if the session store does not answer.
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
        self._key = Bearer(plugin.args.key if plugin.isEnabled else None, RESULT_PLACE)

    async def answer(self, visit: Visit) -> Response:
        """Answer a request for a path below ``PREFIX``."""
        if not self._key.is_configured:
            return respond("not found\n", status=HTTPStatus.NOT_FOUND)
        if not self._key.is_right(visit.request):
            return _answer(HTTPStatus.UNAUTHORIZED, {}, **CHALLENGE)
        found = _PATH.fullmatch(visit.path)
        if found is None:
            return _answer(HTTPStatus.NOT_FOUND, {"state": "unknown"})
        return await self._report(found[1])

    async def _report(self, session: str) -> Response:
        try:
            report = await self._lookup(session)
        except ConnectionError:
            unavailable = HTTPStatus.SERVICE_UNAVAILABLE
            return _answer(unavailable, {"state": "unavailable"}, **_RETRY)
        if report is None:
            return _answer(HTTPStatus.NOT_FOUND, {"state": "unknown"})
        if report.result is None:
            return _answer(HTTPStatus.ACCEPTED, report.body(session), **_RETRY)
        return _answer(HTTPStatus.OK, report.body(session))


def _answer(status: HTTPStatus, body: dict[str, object], **headers: str) -> Response:
    return respond(json.dumps(body), JSON, status=status, headers={**_HEADERS, **headers})
