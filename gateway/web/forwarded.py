"""The client behind proxies, as far as the proxies' headers can be trusted."""

import ipaddress
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request

from gateway.limits.addresses import Address, parse_address
from gateway.limits.buckets import LineBudget
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
"""Headers besides ``X-Forwarded-...`` that show that a proxy forwards a request."""
MAX_NODE_CHARS = 64
"""Longest client name that is not an address."""
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_NODE = re.compile(r'"?(?:\[([^\]"]+)\](?::[\w.-]+)?|([\d.]+):[\w.-]+|([^"]*?))"?', re.ASCII)
_PROTO = re.compile(r'(?:^|;)\s*proto\s*=\s*"?([a-z]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sender:
    """The client that sent a request.

    Attributes:
        address: the client's address, or its name if a trusted proxy wrote a name instead.
        unreadable: what a trusted proxy wrote instead of an address; else empty.
        scheme: ``http`` or ``https``, as used by the client; None if a trusted proxy does not say.
        untrusted: the request names another client, but not through a trusted proxy.
    """

    address: str
    unreadable: str
    scheme: str | None
    untrusted: bool


class UnreadableLog:
    """Logs what trusted proxies write instead of an address, once a minute."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._lines = LineBudget(1 / 60, 1)

    def record(self, sender: Sender) -> None:
        """Log a client without an address, unless another one was logged within the minute."""
        if not sender.unreadable or (unlogged := self._lines.take(self._clock.monotonic())) is None:
            return
        log.warning(
            "X-Forwarded-For of a trusted proxy is not an address; limits use it as the client's "
            "name",
            extra={"fields": {"client": sender.unreadable, "unlogged": unlogged}},
        )


def is_forwarded(headers: Headers) -> bool:
    """Return whether a header shows that a proxy forwarded the request."""
    names = {name.lower() for name in headers}
    return not names.isdisjoint(PROXY_HEADERS) or any(
        name.startswith("x-forwarded") for name in names
    )


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse the configured proxies."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def peer_of(connection: ServerConnection) -> str:
    """Return the address of a connection's peer; empty if it has disconnected or has none."""
    return _first(connection, "remote_address")


def arrival_of(connection: ServerConnection) -> str:
    """Return the local address of a connection; empty as with ``peer_of``."""
    return _first(connection, "local_address")


def _first(connection: ServerConnection, name: str) -> str:
    try:
        return str(getattr(connection, name)[0])
    except (AttributeError, IndexError, OSError, TypeError):  # uvloop's socket is None after close
        return ""


def sender_of(
    connection: ServerConnection, request: Request | None, trusted: Sequence[Network]
) -> Sender:
    """Find the client of a connection's first request."""
    return find_sender(peer_of(connection), request.headers if request else Headers(), trusted)


def find_sender(peer: str, headers: Headers, trusted: Sequence[Network]) -> Sender:
    """Find the client of a request; ``trusted`` are the networks of the proxies."""
    nodes = _values(headers, "X-Forwarded-For")
    is_trusted = is_in(parse_address(peer), trusted)
    address, unreadable = _client(peer, nodes, trusted)
    scheme: str | None = "http"  # this service itself has no TLS
    if is_trusted and is_forwarded(headers):
        scheme = _scheme(headers)
    return Sender(address, unreadable, scheme, bool(nodes) and not is_trusted)


def _client(peer: str, nodes: list[str], trusted: Sequence[Network]) -> tuple[str, str]:
    """Find the first node from the right that is not a trusted proxy, and an unreadable node.

    Each proxy appends its own client, so the nodes are read from the end, and only while the node
    that appended them is a trusted proxy. Nodes further left may be forged by the client. A node
    that is not an address still identifies the client: with the proxy's address instead, all such
    clients would share one limit, and each could lock out the others.
    """
    address = parse_address(peer)
    if address is None:
        return peer, ""
    while nodes and is_in(address, trusted):
        node = nodes.pop()
        claimed = parse_node(node)
        if claimed is None:
            name = clean(node, MAX_NODE_CHARS)
            return name, "" if name.startswith("_") else name  # RFC 7239: an obfuscated name
        address = claimed
    return str(address), ""


def parse_node(text: str) -> Address | None:
    """Parse an address as proxies write it: alone, with port, in brackets or quotes (RFC 7239)."""
    found = _NODE.fullmatch(text)
    return parse_address(found[1] or found[2] or found[3]) if found else None


def clean(text: str, max_chars: int) -> str:
    """Make a client's text safe for a log: printable ASCII of bounded length."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:max_chars])


def _scheme(headers: Headers) -> str | None:
    """Return the scheme that the client used with the first proxy; None if no proxy says."""
    named = _values(headers, "X-Forwarded-Proto")
    if not named:
        element = ",".join(headers.get_all("Forwarded")).partition(",")[0]
        named = _PROTO.findall(element)
    return SCHEMES.get(named[0].lower()) if named else None


def _values(headers: Headers, name: str) -> list[str]:
    parts = [part.strip() for line in headers.get_all(name) for part in line.split(",")]
    return [part for part in parts if part]


def is_in(address: Address | None, trusted: Sequence[Network]) -> bool:
    """Return whether an address is in one of the networks."""
    return address is not None and any(address in network for network in trusted)
