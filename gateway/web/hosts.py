"""Which hosts a request may ask for: the service's own.

A web site may let its name lead to this machine once its page is loaded (DNS rebinding). The
browser then takes the service for that site, and the page may read and use it. The name it asks
for is still the site's.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.web.addresses import parse_address
from shared.origins import DEFAULT_PORTS, Authority, parse_authority

ANY = "*"
LOCAL_NAME = "localhost"
"""Browsers ask no name server for it."""


class OwnHosts:
    """The service's hosts.

    Beside the listed ones these are localhost, loopback addresses, and the address at which the
    connection arrived: an address cannot be made to lead elsewhere, a name can.

    Args:
        listed: names or addresses, with a port or for all ports; ``*`` takes every host.

    Raises:
        ValueError: one of them is no host.
    """

    def __init__(self, listed: Iterable[str]) -> None:
        listed = set(listed)
        self._any = ANY in listed
        self._listed = {parse_authority(text) for text in listed - {ANY}}

    def have(self, host: Authority, arrived_at: str) -> bool:
        """Whether a host is one of the service's.

        Args:
            host: host and port that a request asks for.
            arrived_at: address of this machine at which its connection arrived.
        """
        return self._any or self._is_listed(host) or _is_this_machine(host.host, arrived_at)

    def _is_listed(self, host: Authority) -> bool:
        # A browser leaves the port out where it is the scheme's own.
        ports = DEFAULT_PORTS.values() if host.port is None else (host.port,)
        return any(Authority(host.host, port) in self._listed for port in (None, *ports))


def _is_this_machine(host: str, arrived_at: str) -> bool:
    if host == LOCAL_NAME:
        return True
    address = parse_address(host)
    return address is not None and (address.is_loopback or address == parse_address(arrived_at))
