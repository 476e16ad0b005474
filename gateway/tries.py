"""Wrong passwords by address: so many at once, so many in a minute, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from gateway.limits import TokenBucket

MOST_ADDRESSES = 10_000
"""Addresses remembered; beyond, the one that was wrong longest ago is forgotten."""
IPV6_PREFIX = 64
"""A client chooses its address freely within such a network, so the network counts as one."""


class WrongTries:
    """Counts wrong tries.

    Args:
        at_once: tries that an address has when it was never wrong.
        per_minute: tries that it gets back.
    """

    def __init__(self, at_once: int, per_minute: float) -> None:
        self._at_once = at_once
        self._per_second = per_minute / 60
        self._left: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        """Number of addresses remembered."""
        return len(self._left)

    def exhausted(self, address: str, now: float) -> bool:
        """Whether an address has no try left at a monotonic time."""
        bucket = self._left.get(_who(address))
        return bucket is not None and bucket.available(now) < 1

    def note(self, address: str, now: float) -> None:
        """Count a wrong try."""
        who = _who(address)
        bucket = self._left.get(who)
        if bucket is None:
            bucket = self._left[who] = TokenBucket(self._per_second, self._at_once, now)
        self._left.move_to_end(who)
        bucket.admit(now)
        if len(self._left) > MOST_ADDRESSES:
            self._left.popitem(last=False)

    @property
    def pause(self) -> int:
        """Whole seconds after which an address surely has a try again."""
        return int(1 / self._per_second) + 1


def _who(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
