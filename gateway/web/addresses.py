"""Client addresses: how they are read, and which of them a limit counts as one client."""

from __future__ import annotations

import hmac
import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV6_PREFIX = 64
"""A client chooses its address freely within such a network, so the network counts as one."""


def parse_address(text: str) -> Address | None:
    """Read an address; IPv4 mapped into IPv6 becomes IPv4, and an interface's name is dropped.

    Returns:
        The address, or None where the text is none.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def limit_key(address: str) -> str:
    """Return what limits per address count by: IPv6 by its network, all else as it is."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def address_digest(key: bytes, address: str) -> str:
    """Return 128 bits in hex that stand for an address, so that who reads a record learns none.

    Args:
        key: secret of the gateways that share their records; empty where nothing is shared.
        address: as ``limit_key`` gives it.
    """
    return hmac.digest(key, address.encode(), "sha256").hex()[:32]
