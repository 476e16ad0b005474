"""Client addresses: parsing, and which addresses a limit counts as one client."""

import hmac
import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV6_PREFIX = 64
"""A client can use any address of its /64, so limits count the network as one client."""


def parse_address(text: str) -> Address | None:
    """Parse an address, if it is one; mapped IPv4 becomes IPv4, and a zone id is dropped."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def limit_key(address: str) -> str:
    """Return the key for limits per address: the /64 of IPv6, everything else unchanged."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def address_digest(key: bytes, address: str) -> str:
    """Return 128 bits in hex in place of a ``limit_key``, so that records do not reveal it.

    The key is the secret of the gateways that share their records; empty if nothing is shared.
    """
    return hmac.digest(key, address.encode(), "sha256").hex()[:32]
