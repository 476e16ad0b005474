"""Who a request comes from behind proxies, as far as their headers may be believed."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.web.addresses import Address, parse_address
from gateway.web.limits import LineBudget
from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PROXY_HEADERS = frozenset(
    {
        "cf-connecting-ip",
        "client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-real-ip",
    }
)
"""Headers besides ``X-Forwarded-...`` by which a proxy says that it asks for somebody else."""
MAX_NODE = 64
"""Characters of a client's name that is no address."""
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_NODE = re.compile(r'"?(?:\[([^\]"]+)\](?::[\w.-]+)?|([\d.]+):[\w.-]+|([^"]*?))"?', re.ASCII)
_PROTO = re.compile(r'(?:^|;)\s*proto\s*=\s*"?([a-z]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origination:
    """Where a request began.

    Attributes:
        address: the client's; the name that a trusted proxy gives it where that is no address.
        unreadable: what a trusted proxy wrote in place of an address; empty where it wrote one.
        scheme: ``http`` or ``https``, by which the client asks; None where a trusted proxy does
            not say.
        disbelieved: it names another client, but comes from no trusted proxy.
    """

    address: str
    unreadable: str
    scheme: str | None
    disbelieved: bool


class UnreadableLog:
    """Logs what trusted proxies write in place of an address, once a minute.

    Args:
        clock: times the log lines.
    """

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._lines = LineBudget(1 / 60, 1)

    def note(self, came: Origination) -> None:
        """Log a client without an address, unless another one was logged within the minute."""
        if not came.unreadable or (unlogged := self._lines.take(self._clock.monotonic())) is None:
            return
        log.warning(
            "X-Forwarded-For of a trusted proxy names no address; the client is limited by what it "
            "names",
            extra={"fields": {"client": came.unreadable, "unlogged": unlogged}},
        )


def is_forwarded(headers: Headers) -> bool:
    """Tell whether a proxy says that it asks for somebody else, by any of the usual headers."""
    names = {name.lower() for name in headers}
    return not names.isdisjoint(PROXY_HEADERS) or any(
        name.startswith("x-forwarded") for name in names
    )


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the configured proxies."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def peer_of(connection: ServerConnection) -> str:
    """Address of a connection's other end; empty where it has gone already, or has none."""
    return _first(connection, "remote_address")


def arrival_of(connection: ServerConnection) -> str:
    """Address of this machine at which a connection arrived; empty as with ``peer_of``."""
    return _first(connection, "local_address")


def _first(connection: ServerConnection, name: str) -> str:
    try:
        return str(getattr(connection, name)[0])
    except (AttributeError, IndexError, OSError, TypeError):  # uvloop's socket is None by then
        return ""


def origination_of(
    connection: ServerConnection, request: Request | None, trusted: Sequence[Network]
) -> Origination:
    """Find where the first request of a connection began."""
    return originate(peer_of(connection), request.headers if request else Headers(), trusted)


def originate(peer: str, headers: Headers, trusted: Sequence[Network]) -> Origination:
    """Find where a request began.

    Args:
        peer: address of the connection's other end.
        headers: of the request.
        trusted: networks of the proxies.
    """
    nodes = _values(headers, "X-Forwarded-For")
    believed = is_in(parse_address(peer), trusted)
    address, unreadable = _client(peer, nodes, trusted)
    scheme: str | None = "http"  # this service itself speaks no TLS
    if believed and is_forwarded(headers):
        scheme = _scheme(headers)
    return Origination(address, unreadable, scheme, bool(nodes) and not believed)


def _client(peer: str, nodes: list[str], trusted: Sequence[Network]) -> tuple[str, str]:
    """Find the client that no trusted proxy vouches further for, and what could not be read.

    Each proxy appends whom it speaks for, so the nodes are read from their end, and only as long
    as the address that appended is a trusted proxy's. A client can write what it likes further
    left. A node that is no address still names the client: with the proxy's address in its place
    all such clients would share one limit, and each could lock out the others.
    """
    address = parse_address(peer)
    if address is None:
        return peer, ""
    while nodes and is_in(address, trusted):
        node = nodes.pop()
        claimed = parse_node(node)
        if claimed is None:
            name = clean(node, MAX_NODE)
            return name, "" if name.startswith("_") else name  # RFC 7239: a name meant as one
        address = claimed
    return str(address), ""


def parse_node(text: str) -> Address | None:
    """Read an address as proxies write it: alone, with port, in brackets, in quotes (RFC 7239)."""
    found = _NODE.fullmatch(text)
    return parse_address(found[1] or found[2] or found[3]) if found else None


def clean(text: str, most: int) -> str:
    """Make a client's text fit for a log: printable ASCII of bounded length."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:most])


def _scheme(headers: Headers) -> str | None:
    """Scheme by which the client reached the first proxy, None where no proxy says."""
    named = _values(headers, "X-Forwarded-Proto")
    if not named:
        element = ",".join(headers.get_all("Forwarded")).partition(",")[0]
        named = _PROTO.findall(element)
    return SCHEMES.get(named[0].lower()) if named else None


def _values(headers: Headers, name: str) -> list[str]:
    parts = [part.strip() for line in headers.get_all(name) for part in line.split(",")]
    return [part for part in parts if part]


def is_in(address: Address | None, trusted: Sequence[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return address is not None and any(address in network for network in trusted)
