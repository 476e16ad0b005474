"""The client's address behind proxies, from X-Forwarded-For as far as it may be believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from gateway.addresses import parse_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the configured proxies."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def peer_of(connection: ServerConnection) -> str:
    """Address of a connection's other end; empty where it has gone already, or has none."""
    try:
        return str(connection.remote_address[0])
    except (AttributeError, IndexError, OSError, TypeError):  # uvloop's socket is None by then
        return ""


def address_of(
    connection: ServerConnection, request: Request | None, trusted: Sequence[Network]
) -> str:
    """Find the address of the client that made a connection with this first request."""
    forwarded = request.headers.get_all("X-Forwarded-For") if request else []
    return client_address(peer_of(connection), forwarded, trusted)


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Find the address that no trusted proxy vouches further for.

    Each proxy appends whom it speaks for, so the header is read from its end, and only as long as
    the address that appended is a trusted proxy's. A client can write what it likes further left.

    Args:
        peer: address of the connection.
        forwarded: values of X-Forwarded-For, one for each header line.
        trusted: networks of the proxies.
    """
    address = parse_address(peer)
    if address is None:
        return peer
    chain = [part.strip() for line in forwarded for part in line.split(",")]
    while chain and any(address in network for network in trusted):
        claimed = parse_address(chain.pop())
        if claimed is None:
            break
        address = claimed
    return str(address)
