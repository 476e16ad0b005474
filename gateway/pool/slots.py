"""The slab and its slots; the gateway alone makes it, and leases and frees them."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from shared.config.cells import worker_count
from shared.config.service import Config
from shared.errors import ResourceError
from shared.frame.slab import LESS_MEMORY, Slab, slab_bytes
from shared.process.cgroups import ControlGroups
from shared.process.clock import SYSTEM, Clock

EXTRA_SLOTS = 2
LETTING_GO_SECONDS = 2.0
"""For workers to let go of the slab of a gateway that died, where there is no room for two."""
RETRY_SECONDS = 0.1


def slot_count(config: Config) -> int:
    """Slots of this cell: as configured, else one for each job and some that are being decoded."""
    return config.TRANSPORT.slots or worker_count(config) * config.WORKERS.credit + EXTRA_SLOTS


def make_slab(config: Config, *, clock: Clock = SYSTEM) -> Slab:
    """Make this gateway's slab.

    Raises:
        ResourceError: there is no memory for it.
    """
    slots, pixels = slot_count(config), config.LIMITS.framePixels
    end = clock.monotonic() + LETTING_GO_SECONDS
    while True:
        try:
            _require_memory(slab_bytes(slots, pixels)[1], available_memory())
            return Slab.create(slots=slots, pixels=pixels)
        except ResourceError:
            if clock.monotonic() > end:
                raise
        time.sleep(RETRY_SECONDS)


def available_memory(
    groups: ControlGroups | None = None, information: Path = Path("/proc/meminfo")
) -> int:
    """Return the bytes that the machine can give without swapping, or the group's limit if less.

    Asked before memory is reserved: the kernel refuses no size, it kills a process when there is
    nothing left. The units' sandbox hides both files; then all the machine's memory counts.
    """
    try:
        found = re.search(r"^MemAvailable: +(\d+) kB$", information.read_text(), re.MULTILINE)
    except OSError:
        found = None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    machine = int(found[1]) * 1024 if found else total
    limit = (groups or ControlGroups()).memory()
    return machine if limit is None else min(machine, limit)


def _require_memory(needed: int, available: int) -> None:
    if needed > available:
        raise ResourceError(
            f"frame slab: needs {needed / 1e6:,.0f} MB, but {available / 1e6:,.0f} MB are free; "
            f"{LESS_MEMORY}"
        )


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
