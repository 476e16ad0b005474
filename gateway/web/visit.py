"""An HTTP request with what is known of it before it is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from gateway.web.addresses import parse_address
from gateway.web.forwarded import (
    Network,
    Origination,
    arrival_of,
    is_forwarded,
    is_in,
    origination_of,
    peer_of,
)
from shared.origins import Authority, parse_authority

_ABSOLUTE = re.compile(r"https?://([^/?#]*)([^#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, by whom and to whom.

    Attributes:
        request: as it came.
        path: its path, without the query.
        named: host that it asks for, as it was written; empty where there is not exactly one.
        host: the same, read; None where it cannot be.
        came: where it began.
        arrived_at: address of this machine at which the connection arrived.
        local: a client on this machine asks, and not a proxy for another client.
    """

    request: Request
    path: str
    named: str
    host: Authority | None
    came: Origination
    arrived_at: str
    local: bool

    @property
    def origins(self) -> list[str]:
        """Values of all Origin lines."""
        return self.request.headers.get_all("Origin")


def visit_of(connection: ServerConnection, request: Request, trusted: Sequence[Network]) -> Visit:
    """Gather what is known of a connection's request.

    Args:
        connection: on which it came.
        request: the request.
        trusted: networks of the proxies.
    """
    path, named = target_of(request)
    return Visit(
        request,
        path,
        named,
        host=_authority(named),
        came=origination_of(connection, request, trusted),
        arrived_at=arrival_of(connection),
        local=is_local(connection, request, trusted),
    )


def target_of(request: Request) -> tuple[str, str]:
    """Path and host that a request asks for; a host in the request line takes precedence.

    That is the absolute form of RFC 9112, section 3.2.2: the Host header must be ignored then.
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
    """Tell whether a client on this machine asks, and not a proxy for another client.

    A trusted proxy asks for others even where it adds no header. Any other proxy on this machine is
    recognised by the headers that it adds, and by nothing else.

    Args:
        connection: on which the request came.
        request: the request.
        trusted: networks of the proxies.
    """
    address = parse_address(peer_of(connection))
    if address is None or not address.is_loopback or is_in(address, trusted):
        return False
    return not is_forwarded(request.headers)
