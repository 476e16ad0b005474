"""Hosts and origins in a normal form, so that all spellings of the same one compare equal.

A host name is in lower case, without a final dot, in the ASCII form of international names. An
address is in the form of ``ipaddress``, without brackets. An origin always has its port, which
browsers omit if it is the default.
"""

import ipaddress
import re
from typing import NamedTuple

import idna

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HOST_CHARS = 253
"""Longest host name (RFC 1035)."""
MAX_AUTHORITY_CHARS = 300
"""Longest text that is parsed: a name with its final dot and its port."""

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(?::([0-9]{0,5}))?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)/?", re.IGNORECASE)


class Authority(NamedTuple):
    """A host, and its port if there is one."""

    host: str
    port: int | None


class Origin(NamedTuple):
    """Scheme, host and port of a page; ``null`` and ``file://`` have no host."""

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        if self == OPAQUE:
            return "null"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port in (None, DEFAULT_PORTS.get(self.scheme)) else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


OPAQUE = Origin("null", "", None)
"""The origin that browsers send for a sandboxed frame, and some also for a page in a file."""


class Site(NamedTuple):
    """Allowed pages: those of an origin, or those of a host over http and https.

    Attributes:
        scheme: scheme of the pages; None for http and https.
        host: host of the pages.
        port: port of the pages; None for any port if the scheme is None too.
    """

    scheme: str | None
    host: str
    port: int | None

    def has(self, origin: Origin) -> bool:
        """Return whether a page of this origin is allowed."""
        if self.scheme is not None:
            return origin == (self.scheme, self.host, self.port)
        same_port = self.port is None or self.port == origin.port
        return origin.scheme in DEFAULT_PORTS and origin.host == self.host and same_port


def parse_authority(text: str) -> Authority:
    """Parse ``host`` or ``host:port``.

    Raises:
        ValueError: it is neither.
    """
    found = _AUTHORITY.fullmatch(text) if len(text) <= MAX_AUTHORITY_CHARS else None
    if found is None:
        raise ValueError("not host or host:port")
    host, port = found.groups()
    number = int(port) if port else None
    if number is not None and not 0 < number < 65_536:
        raise ValueError("not a port")
    return Authority(_normal_host(host), number)


def parse_origin(text: str) -> Origin:
    """Parse an origin such as ``https://kiosk.example``; a final slash is allowed.

    Raises:
        ValueError: it is not an origin.
    """
    if text.lower() == "null":
        return OPAQUE
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError("not scheme://host or scheme://host:port")
    scheme = found[1].lower()
    if scheme == "file" and not found[2]:
        return Origin("file", "", None)
    host, port = parse_authority(found[2])
    return Origin(scheme, host, DEFAULT_PORTS.get(scheme) if port is None else port)


def parse_site(text: str) -> Site:
    """Parse an origin, or a bare host or host:port, which stands for http and https.

    Raises:
        ValueError: it is neither, or ``null``, which pages of any site can send.
    """
    if "://" in text:
        return Site(*parse_origin(text))
    if text.lower() == "null":
        raise ValueError("null is not a site")
    return Site(None, *parse_authority(text))


def _normal_host(text: str) -> str:
    if text.startswith("["):
        return str(ipaddress.IPv6Address(text[1:-1]))
    name = text.removesuffix(".")
    if not name.isascii():
        # As browsers do (UTS 46, non-transitional).
        name = idna.encode(name, uts46=True).decode()
    name = name.lower()
    if len(name) > MAX_HOST_CHARS or not _NAME.fullmatch(name):
        raise ValueError("not a host")
    return name
