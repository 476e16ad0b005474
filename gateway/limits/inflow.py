"""Limits what clients send: bytes per second of each connection and address, and bytes in memory.

A connection over its rate is not read for a while, so TCP slows it down: nothing is lost, and an
honest client on a shared address is delayed, not refused. For the bytes in memory, an address may
hold as much as is free: one flooding address gets half of the capacity, two get a third each, and
there is always room for others.
"""

import weakref
from collections.abc import Callable

from gateway.limits.addresses import limit_key
from gateway.limits.buckets import AddressBuckets, TokenBucket
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock
from shared.process.process import return_memory

RETURN_BYTES = 64_000_000
"""Freed bytes after which memory is returned to the kernel."""
RETURN_SECONDS = 10.0
"""Minimum pause in between: each time costs the event loop milliseconds."""


class _Hold(weakref.ref[object]):
    """Bytes that an address holds until their owner is freed."""

    __slots__ = ("key", "size")

    key: str
    size: int


class HeldBytes:
    """Bytes of all frames that are being received or wait; ``freed`` counts those freed so far."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._of_address: dict[str, int] = {}
        self._holds: dict[int, _Hold] = {}  # by their own ids, because owners may not be hashable
        self.total = 0
        self.freed = 0

    def has_room(self, key: str, size: int) -> bool:
        """Return whether an address may hold more bytes."""
        return self._of_address.get(key, 0) + size <= self._capacity - self.total

    def change(self, key: str, by: int) -> None:
        """Record that an address holds more or fewer bytes."""
        self.total += by
        if by < 0:
            self.freed -= by
        held = self._of_address.get(key, 0) + by
        if held:
            self._of_address[key] = held
        else:  # otherwise every address that ever connected would stay
            self._of_address.pop(key, None)

    def hold_for(self, owner: object, key: str, size: int) -> None:
        """Count bytes while their owner is alive.

        A frame can leave its session in many ways and may still be used by a worker then. Only when
        the object is freed are its bytes certainly free.
        """
        self.change(key, size)
        hold = _Hold(owner, self._release)  # a third of the cost of ``weakref.finalize``
        hold.key, hold.size = key, size
        self._holds[id(hold)] = hold

    def _release(self, hold: _Hold) -> None:
        del self._holds[id(hold)]
        self.change(hold.key, -hold.size)


class Meter:
    """Measures one connection; its key is the client's address, as returned by ``limit_key``."""

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
        """Count received bytes; return for how many seconds to pause reading."""
        now = self._clock.monotonic()
        return max(self._pace.charge(size, now), self._paces.charge(self._key, size, now))

    def hold(self, size: int) -> bool:
        """Set how many bytes of messages wait or are incomplete; return whether there is room."""
        more = size - self._own
        if more == 0:
            return True
        fits = more < 0 or self._held.has_room(self._key, more)
        self._held.change(self._key, more)
        self._own = size
        return fits


class Inflow:
    """Makes the meters of a gateway's connections."""

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
    """Returns the memory of frames to the kernel, at a bounded rate."""

    def __init__(self, held: HeldBytes, give_back: Callable[[], None] = return_memory) -> None:
        self._held = held
        self._give_back = give_back
        self._freed = 0
        self._due = 0.0

    def look(self, now: float) -> None:
        """Return memory if much was freed; called with the monotonic time, a few times a second."""
        if now >= self._due and self._held.freed - self._freed >= RETURN_BYTES:
            self._freed = self._held.freed
            self._due = now + RETURN_SECONDS
            self._give_back()
