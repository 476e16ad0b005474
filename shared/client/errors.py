"""Errors of the client.

ClientError
 ├─ Refused          the service does not grant the session or ends it; carries the ERROR's code
 │   └─ Unavailable  the service cannot judge at the moment; the same request may be made again
 ├─ NoVerdict        the frames or the tries to resume ended before the verdict
 └─ Silent           a TimeoutError: nothing moved on the connection for too long

What the network or websockets raise where a further try is of no use, such as at the first
connection, is no ``ClientError`` and is passed on.
"""

from __future__ import annotations


class ClientError(Exception):
    """Base of the client's own errors."""


class Refused(ClientError):
    """The service does not grant the session, or ends it for a fault of the client.

    Attributes:
        code: the ERROR's code, such as ``session.full``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Unavailable(Refused):
    """The service cannot judge at the moment; the same request may be made again."""


class NoVerdict(ClientError):
    """The frames or the tries to resume came to an end before the verdict."""


class Silent(ClientError, TimeoutError):
    """Nothing moved on the connection for too long: it is as good as broken."""
