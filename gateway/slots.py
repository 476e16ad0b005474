"""Allocation of slab slots; the gateway alone leases and frees them."""

from __future__ import annotations

from shared.slab import Slab


class SlotAllocator:
    """Free list of slots with a generation that rises at each lease.

    The slot that was freed last is leased first: its memory is still in the processor's caches.
    """

    def __init__(self, slab: Slab) -> None:
        self._free = list(range(slab.slots))
        self._generations = [0] * slab.slots
        self._leased: set[int] = set()

    @property
    def free(self) -> int:
        """Number of free slots."""
        return len(self._free)

    def lease(self) -> tuple[int, int] | None:
        """Take a slot; its number and generation, or None when none is free."""
        if not self._free:
            return None
        slot = self._free.pop()
        self._leased.add(slot)
        self._generations[slot] += 1
        return slot, self._generations[slot]

    def release(self, slot: int) -> None:
        """Give a slot back; twice is a fault of the caller."""
        self._leased.remove(slot)
        self._free.append(slot)
