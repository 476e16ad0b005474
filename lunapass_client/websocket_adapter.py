"""All uses of ``websockets`` beyond its documented interface in the client.

The library may change these internals in any release, so the packages have an upper version bound,
and tests/shared/wire/test_websocket_adapter.py checks each use against the installed version.
"""

import asyncio
import socket

from websockets.asyncio.client import ClientConnection
from websockets.sync.client import ClientConnection as SyncClientConnection


def transport_of(connection: ClientConnection) -> asyncio.Transport:
    """Return a client's TCP connection."""
    return connection.transport


def socket_of(connection: SyncClientConnection) -> socket.socket:
    """Return a synchronous client's TCP connection."""
    return connection.socket


def cut(connection: SyncClientConnection) -> None:
    """End a synchronous client's connection without a closing handshake."""
    connection.close_socket()


def incomplete_bytes(connection: ClientConnection | SyncClientConnection) -> int:
    """Return how many bytes of an incomplete frame have arrived."""
    return len(connection.protocol.reader.buffer)
