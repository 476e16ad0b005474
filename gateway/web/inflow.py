"""What clients send: bytes in a second of each connection and address, and bytes held in all.

A client over its pace is not read for a while, so that TCP slows it down: nothing is lost, and an
honest client on a shared address is late rather than refused. What is held is bounded by shares: an
address may hold as much as is free. So one that floods gets half of the capacity, two get a third
each, and there is always room left for the others.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable

from gateway.web.addresses import limit_key
from gateway.web.limits import AddressBuckets, TokenBucket
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock
from shared.process.process import return_memory

RETURN_BYTES = 64_000_000
"""Bytes that were freed since memory was given back last, at least, before it is given back."""
RETURN_SECONDS = 10.0
"""Pause between two times, which cost the event loop milliseconds each."""


class HeldBytes:
    """Bytes of frames that arrive or wait, of all connections together.

    Args:
        capacity: bytes that may be held.

    Attributes:
        total: bytes held now.
        freed: bytes that were held once and are not any more.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._of_address: Counter[str] = Counter()
        self.total = 0
        self.freed = 0

    def has_room(self, key: str, size: int) -> bool:
        """Whether an address may hold so many bytes more."""
        return self._of_address[key] + size <= self._capacity - self.total

    def change(self, key: str, by: int) -> None:
        """Note that an address holds more bytes, or fewer."""
        self.total += by
        self.freed -= min(by, 0)
        self._of_address[key] += by
        if not self._of_address[key]:
            del self._of_address[key]  # else every address that ever came stays

    def hold_for(self, owner: object, key: str, size: int) -> None:
        """Count bytes for as long as the object lives that has them.

        A frame leaves its session in many ways and may still be lent to a worker then. Its own end
        is the one moment at which its bytes are free in any case.
        """
        self.change(key, size)
        weakref.finalize(owner, self.change, key, -size).atexit = False


class Meter:
    """Measures one connection.

    Args:
        key: the client's address as limits count it.
        pace: bucket of the connection.
        paces: buckets of the addresses.
        held: bytes that all connections hold.
        clock: times the buckets.
    """

    def __init__(
        self, key: str, pace: TokenBucket, paces: AddressBuckets, held: HeldBytes, clock: Clock
    ) -> None:
        self._key = key
        self._pace = pace
        self._paces = paces
        self._held = held
        self._clock = clock
        self._own = 0

    def receive(self, size: int) -> float:
        """Count bytes that came; seconds for which the connection is not to be read."""
        now = self._clock.monotonic()
        return max(self._pace.charge(size, now), self._paces.charge(self._key, size, now))

    def hold(self, size: int) -> bool:
        """Set how many bytes of unfinished or unread messages the connection holds.

        Returns:
            False where that is more than there is room for.
        """
        more = size - self._own
        fits = more <= 0 or self._held.has_room(self._key, more)
        self._held.change(self._key, more)
        self._own = size
        return fits


class Inflow:
    """Makes the meters of a gateway's connections.

    Args:
        limits: the bounds.
        held: bytes that all connections hold.
        clock: times the buckets.
    """

    def __init__(self, limits: LimitsSection, held: HeldBytes, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._rate = limits.bytesPerSecond
        self._paces = AddressBuckets(limits.bytesPerAddress, 2 * limits.bytesPerAddress)
        self._held = held

    def meter(self, address: str) -> Meter:
        """Make the meter of a client's connection."""
        pace = TokenBucket(self._rate, 2 * self._rate)
        return Meter(limit_key(address), pace, self._paces, self._held, self._clock)


class MemoryReturn:
    """Gives the memory of frames back to the machine, at a bounded rate.

    Args:
        held: counts what is freed.
        give_back: gives back what is free.
    """

    def __init__(self, held: HeldBytes, give_back: Callable[[], None] = return_memory) -> None:
        self._held = held
        self._give_back = give_back
        self._freed = 0
        self._due = 0.0

    def look(self, now: float) -> None:
        """Give memory back if much was freed; called a few times a second.

        Args:
            now: monotonic time.
        """
        if now >= self._due and self._held.freed - self._freed >= RETURN_BYTES:
            self._freed = self._held.freed
            self._due = now + RETURN_SECONDS
            self._give_back()
