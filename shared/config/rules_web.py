"""Rules about host names and origins: an entry that can never match is an error."""

from collections.abc import Callable, Iterator

from shared.config.findings import Finding, error, warning
from shared.config.service import Config
from shared.origins import OPAQUE, parse_authority, parse_origin, parse_site

ANY = "*"


def hosts(config: Config) -> Iterator[Finding]:
    """Require names without scheme and path; warn if every name is allowed."""
    place = "[LUNA_PASS] hosts"
    for text in config.LUNA_PASS.hosts:
        if text == ANY:
            yield warning(
                place,
                "contains '*', so a web site whose name resolves to this machine can use the "
                "service (DNS rebinding); list the service's own names instead",
            )
        elif not _is_valid(parse_authority, text):
            yield error(
                place,
                f"contains {text[:60]!r}, which is not a host name; allowed: host or host:port, "
                "such as kiosk.example.org or [2001:db8::1]:8443, or '*'; correct it",
            )


def origins(config: Config) -> Iterator[Finding]:
    """Require values that a browser can send as Origin; warn about one that many pages send."""
    place = "[LUNA_PASS] origins"
    for text in config.LUNA_PASS.origins:
        if text == ANY:
            continue
        if not _is_valid(parse_origin, text):
            yield error(
                place,
                f"contains {text[:60]!r}, which no browser sends; allowed: scheme://host or "
                "scheme://host:port without anything after it, such as https://kiosk.example.org, "
                "or '*'; correct it",
            )
        elif parse_origin(text) == OPAQUE:
            yield warning(
                place,
                "contains 'null', which any web site can send from a sandboxed frame; "
                "list the page's own origin instead",
            )


def basic_auth_origin(text: str) -> Iterator[Finding]:
    """Require an origin, or an address or domain, which stands for http and https."""
    if not _is_valid(parse_site, text):
        yield error(
            "[MIDDLEWARES.REQUEST.BasicAuth]",
            f"args.origin is {text[:60]!r}; allowed: scheme://host or scheme://host:port, such as "
            "https://kiosk.example.org, or an address or domain alone for http and https at any "
            "port; correct it",
        )


def _is_valid(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
