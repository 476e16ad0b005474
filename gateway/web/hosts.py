"""The host names under which the service answers: only its own.

After its page has loaded, a web site can make its name resolve to this machine (DNS rebinding). The
browser then treats the service as that site, so the page can use it. The Host header still has the
site's name.
"""

from collections.abc import Iterable

from gateway.limits.addresses import parse_address
from shared.origins import DEFAULT_PORTS, Authority, parse_authority

ANY = "*"
LOCAL_NAME = "localhost"
"""Browsers do not look it up in DNS."""


class OwnHosts:
    """The service's hosts.

    These are the listed ones, with a port or for all ports (``*`` is every host), localhost,
    loopback addresses, and the local address of the connection: unlike a name, an address cannot be
    made to resolve to another machine.

    Raises:
        ValueError: one of them is not a host.
    """

    def __init__(self, listed: Iterable[str]) -> None:
        listed = set(listed)
        self._any = ANY in listed
        self._listed = {parse_authority(text) for text in listed - {ANY}}

    def have(self, host: Authority, arrived_at: str) -> bool:
        """Return whether a host is the service's; ``arrived_at`` is the local address."""
        return self._any or self._is_listed(host) or _is_this_machine(host.host, arrived_at)

    def _is_listed(self, host: Authority) -> bool:
        # Browsers omit the scheme's default port.
        ports = DEFAULT_PORTS.values() if host.port is None else (host.port,)
        return any(Authority(host.host, port) in self._listed for port in (None, *ports))


def _is_this_machine(host: str, arrived_at: str) -> bool:
    if host == LOCAL_NAME:
        return True
    address = parse_address(host)
    return address is not None and (address.is_loopback or address == parse_address(arrived_at))
