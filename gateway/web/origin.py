"""Which pages may open a WebSocket: those of the service's own host and the listed ones.

A browser sends the page's true origin, and pages cannot change it; other clients send none.
"""

from collections.abc import Sequence

from shared.origins import DEFAULT_PORTS, Authority, Origin, Site, parse_origin


def origin_of(lines: Sequence[str]) -> Origin | None:
    """Parse the Origin headers of a request; None unless they name exactly one origin."""
    try:
        return parse_origin(lines[0]) if len(lines) == 1 and lines[0].isascii() else None
    except ValueError:
        return None


def is_listed(origin: Origin, sites: Sequence[Site]) -> bool:
    """Return whether an origin belongs to one of the sites."""
    return any(site.has(origin) for site in sites)


def is_own(origin: Origin, host: Authority | None, scheme: str | None) -> bool:
    """Return whether a page has the same origin as the service, by the request's host and scheme.

    An http page is not the service's own if the service is reached over https: anyone on the
    network can inject such a page. An unknown scheme (None) counts as https.
    """
    if host is None or origin.scheme not in DEFAULT_PORTS:
        return False
    if origin.scheme == "http" and scheme != "http":
        return False
    port = DEFAULT_PORTS[origin.scheme] if host.port is None else host.port
    return (origin.host, origin.port) == (host.host, port)
