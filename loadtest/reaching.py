"""Whether there is a service at an address at all, before a crowd is sent to it."""

from __future__ import annotations

import os
import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from loadtest.plan import without_password
from shared.errors import ResourceError
from shared.wire.protocol import SUBPROTOCOL

BUSY = (429, 503)
"""Statuses of a service that is there and has no room now: what a crowd is to find out."""


async def reach(url: str) -> None:
    """Open a WebSocket and close it again; no session begins.

    Raises:
        ResourceError: nothing that speaks WebSocket is there, or its certificate is not trusted.
    """
    try:
        async with connect(url, compression=None, subprotocols=[Subprotocol(SUBPROTOCOL)]):
            pass
    except (OSError, WebSocketException) as error:
        if not (isinstance(error, InvalidStatus) and error.response.status_code in BUSY):
            raise ResourceError(f"{without_password(url)}: {_trouble(error)}") from error


def _trouble(error: OSError | WebSocketException) -> str:
    """Say what is wrong and what to do."""
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
        number = error.errno or 0  # negative for a name that is not known
        return (
            f"cannot be reached: {os.strerror(number) if number > 0 else error.strerror or error}"
        )
    return f"does not speak WebSocket: {error}"
