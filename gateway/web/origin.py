"""Which pages may open a WebSocket: those of the service's own host and those listed.

A browser names the page's origin and cannot be made to lie about it; other clients name none.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.origins import DEFAULT_PORTS, Authority, Origin, Site, parse_origin


def origin_of(lines: Sequence[str]) -> Origin | None:
    """Read the Origin header lines of a request; None where they name no single origin."""
    try:
        return parse_origin(lines[0]) if len(lines) == 1 and lines[0].isascii() else None
    except ValueError:
        return None


def is_listed(origin: Origin, sites: Sequence[Site]) -> bool:
    """Whether a page is of one of these sites."""
    return any(site.has(origin) for site in sites)


def is_own(origin: Origin, host: Authority | None, scheme: str | None) -> bool:
    """Whether a page came from where its request goes to.

    A page of http is not the service's own where the service is reached by https: anyone on the
    line can write such a page. An unknown scheme counts as https.

    Args:
        origin: of the page.
        host: host and port that the request asks for.
        scheme: by which the client asks; None where that is not known.
    """
    if host is None or origin.scheme not in DEFAULT_PORTS:
        return False
    if origin.scheme == "http" and scheme != "http":
        return False
    port = DEFAULT_PORTS[origin.scheme] if host.port is None else host.port
    return (origin.host, origin.port) == (host.host, port)
