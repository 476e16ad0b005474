"""Errors of the client.

ClientError
 ├─ Refused          the service refuses the session or ends it; carries the ERROR's code
 │   └─ Unavailable  the service cannot judge at the moment; a retry may succeed
 ├─ NoVerdict        the frames or the attempts to resume ran out before the verdict
 └─ Silent           a TimeoutError: no byte sent or received for too long

Errors of the network or of websockets for which a retry is useless, such as those of the first
connection, are passed on unchanged.
"""

from __future__ import annotations


class ClientError(Exception):
    """Base of the client's own errors."""


class Refused(ClientError):
    """The service refuses the session, or ends it because of an error of the client.

    Attributes:
        code: the ERROR's code, such as ``session.full``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Unavailable(Refused):
    """The service cannot judge at the moment; a retry may succeed."""


class NoVerdict(ClientError):
    """The frames or the attempts to resume ran out before the verdict."""


class Silent(ClientError, TimeoutError):
    """No byte was sent or received for too long: the connection counts as broken."""
