"""Compares the credential of a request (RFC 6750) with the configured one."""

import hmac

from pydantic import SecretStr
from websockets.http11 import Request

from gateway.state.identity import digest
from shared.text_files import require_no_path

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Bearer:
    """A credential that another server sends; without a key no request is right.

    Raises:
        ConfigError: it is still the path of a file.
    """

    def __init__(self, key: SecretStr | None, place: str) -> None:
        text = require_no_path(key.get_secret_value(), place) if key else ""
        self.is_configured = bool(text)
        self._expected = digest(text)

    def is_right(self, request: Request) -> bool:
        """Compare in constant time."""
        same = hmac.compare_digest(digest(_given(request)), self._expected)
        return same and self.is_configured


def _given(request: Request) -> str:
    """Return the credential of a request; empty unless there is exactly one."""
    given = request.headers.get_all("Authorization")
    scheme, _, credential = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return credential.strip() if scheme.lower() == "bearer" else ""
