"""Errors of the client. All have one base, so ``except ClientError`` is enough.

ClientError
 ├─ Refused          the service refuses the session or ends it; carries the ERROR's code
 │   └─ Unavailable  the service cannot judge at the moment; a retry may succeed
 ├─ NoVerdict        the frames or the attempts to resume ran out before the verdict
 ├─ NotAdmitted      the service answers the handshake with an HTTP status, such as 401
 ├─ Unreachable      there is no connection: address, certificate, time-out
 ├─ Disconnected     the connection has ended; carries the close code
 ├─ Silent           no byte was sent or received for too long
 └─ BadAnswer        the service's message violates the protocol

Those about the connection are also errors of Python or websockets (OSError, TimeoutError,
ConnectionClosed, InvalidStatus), as other programs on that library expect them.
"""

import contextlib
from collections.abc import Iterator

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException


class ClientError(Exception):
    """Base of all errors of the client."""


class Refused(ClientError):
    """The service refuses the session, or ends it because of an error of the client.

    Attributes:
        code: the ERROR's code, such as ``session.full``.
        retry_after: seconds after which another session may be accepted; None if unknown.
    """

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.retry_after = retry_after


class Unavailable(Refused):
    """The service cannot judge at the moment; a retry may succeed."""


class NoVerdict(ClientError):
    """The frames or the attempts to resume ran out before the verdict."""


class NotAdmitted(ClientError, InvalidStatus):
    """The service answers the handshake with an HTTP status; ``response`` has its text."""

    @property
    def status(self) -> int:
        """The HTTP status, such as 401 for a wrong password."""
        return self.response.status_code


class Unreachable(ClientError, OSError):
    """There is no connection: address, certificate, time-out. ``__cause__`` says which."""


class Disconnected(ClientError, ConnectionClosed):
    """The connection has ended."""

    @property
    def close_code(self) -> int:
        """The service's close code; 1006 if the connection was lost."""
        return 1006 if self.rcvd is None else self.rcvd.code


class Silent(ClientError, TimeoutError):
    """No byte was sent or received for too long: the connection counts as broken."""


class BadAnswer(ClientError, ValueError):
    """The service's message violates the protocol."""


@contextlib.contextmanager
def client_errors() -> Iterator[None]:
    """Raise errors of Python and websockets as errors of the client."""
    try:
        yield
    except ClientError:
        raise
    except ConnectionClosed as error:
        raise Disconnected(error.rcvd, error.sent, error.rcvd_then_sent) from error
    except InvalidStatus as error:
        raise NotAdmitted(error.response) from error
    except (OSError, WebSocketException) as error:  # TimeoutError too
        raise Unreachable(str(error) or type(error).__name__) from error
