"""An HTTP request with its client and its target."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from gateway.limits.addresses import parse_address
from gateway.web.forwarded import (
    Network,
    Sender,
    arrival_of,
    is_forwarded,
    is_in,
    peer_of,
    sender_of,
)
from shared.origins import Authority, parse_authority

_ABSOLUTE = re.compile(r"https?://([^/?#]*)([^#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with its client and its target.

    Attributes:
        path: its path without the query.
        named: its host as written; empty unless there is exactly one.
        host: the parsed host; None if it is invalid.
        arrived_at: local address of the connection.
        local: it is from a client on this machine, not from a proxy for another client.
    """

    request: Request
    path: str
    named: str
    host: Authority | None
    sender: Sender
    arrived_at: str
    local: bool

    @property
    def origins(self) -> list[str]:
        """Values of all Origin headers."""
        return self.request.headers.get_all("Origin")


def visit_of(connection: ServerConnection, request: Request, trusted: Sequence[Network]) -> Visit:
    """Describe a connection's request."""
    path, named = target_of(request)
    return Visit(
        request,
        path,
        named,
        host=_authority(named),
        sender=sender_of(connection, request, trusted),
        arrived_at=arrival_of(connection),
        local=is_local(connection, request, trusted),
    )


def target_of(request: Request) -> tuple[str, str]:
    """Return path and host of a request; a host in the request line takes precedence.

    With that absolute form the Host header must be ignored (RFC 9112, section 3.2.2).
    """
    absolute = _ABSOLUTE.fullmatch(request.path)
    if absolute is not None:
        return absolute[2].partition("?")[0] or "/", absolute[1]
    hosts = request.headers.get_all("Host")
    return request.path.partition("?")[0], hosts[0] if len(hosts) == 1 else ""


def _authority(text: str) -> Authority | None:
    try:
        return parse_authority(text) if text.isascii() else None
    except ValueError:
        return None


def is_local(connection: ServerConnection, request: Request, trusted: Sequence[Network]) -> bool:
    """Return whether a request is from a client on this machine, not from a proxy for another one.

    A trusted proxy counts as a proxy even if it adds no header. Any other proxy on this machine is
    recognised only by the headers that it adds.
    """
    address = parse_address(peer_of(connection))
    if address is None or not address.is_loopback or is_in(address, trusted):
        return False
    return not is_forwarded(request.headers)
