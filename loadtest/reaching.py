"""Check that a service answers at an address, before the load run."""

import os
import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from loadtest.plan import without_password
from shared.errors import ResourceError
from shared.wire.protocol import SUBPROTOCOL

BUSY = (429, 503)
"""HTTP statuses of a service under full load, which a load run may measure."""


async def reach(url: str) -> None:
    """Open and close a WebSocket, without starting a session.

    Raises:
        ResourceError: no WebSocket server answers, or its certificate is not trusted.
    """
    try:
        async with connect(url, compression=None, subprotocols=[Subprotocol(SUBPROTOCOL)]):
            pass
    except (OSError, WebSocketException) as error:
        if not (isinstance(error, InvalidStatus) and error.response.status_code in BUSY):
            raise ResourceError(f"{without_password(url)}: {_reason(error)}") from error


def _reason(error: OSError | WebSocketException) -> str:
    if isinstance(error, InvalidStatus):
        return f"answers HTTP {error.response.status_code} and no WebSocket; is the path right?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message});"
            " name the file of your own authority in SSL_CERT_FILE"
        )
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, OSError):
        number = error.errno or 0  # negative for an unknown host name
        return (
            f"cannot be reached: {os.strerror(number) if number > 0 else error.strerror or error}"
        )
    return f"does not speak WebSocket: {error}"
