"""Which pages may open a WebSocket: those of the service's own host and those listed.

A browser names the page's origin and cannot be made to lie about it; other clients name none.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

ANY = "*"


def is_allowed(origins: Sequence[str], host: str, listed: Sequence[str]) -> bool:
    """Judge the Origin header lines of an upgrade request.

    Args:
        origins: values of all Origin lines.
        host: value of the Host line.
        listed: origins allowed beside the service's own host, such as ``https://kiosk.example``;
            ``*`` allows every page.
    """
    if not origins or ANY in listed:
        return True
    if len(origins) > 1:
        return False
    origin = origins[0].lower()
    return origin in {item.lower() for item in listed} or _is_own(origin, host.lower())


def _is_own(origin: str, host: str) -> bool:
    """Whether a page's scheme, host and port are those under which it reached the service."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    plain = f"{parts.scheme}://{parts.netloc}" == origin
    return plain and parts.scheme in ("http", "https") and bool(host) and parts.netloc == host
