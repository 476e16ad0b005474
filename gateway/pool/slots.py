"""Creates the slab, and leases and frees its slots."""

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
UNMAP_SECONDS = 2.0
"""Time for the workers to unmap the slab of a dead gateway, if there is no memory for two."""
RETRY_SECONDS = 0.1


def slot_count(config: Config) -> int:
    """Return the slots of this cell: as configured, else one per job and some for decoding."""
    return config.TRANSPORT.slots or worker_count(config) * config.WORKERS.credit + EXTRA_SLOTS


def make_slab(config: Config, *, clock: Clock = SYSTEM) -> Slab:
    """Create this gateway's slab.

    Raises:
        ResourceError: there is not enough memory.
    """
    slots, pixels = slot_count(config), config.LIMITS.framePixels
    end = clock.monotonic() + UNMAP_SECONDS
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
    """Return the bytes available without swapping, or the control group's limit if it is lower.

    Checked before memory is reserved: the kernel accepts any size, and kills a process when no
    memory is left. The sandbox of the units hides both files; then it is the machine's memory.
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
    """Free list of slots; each lease raises the slot's generation.

    The slot that was freed last is leased first: its memory is still in the CPU caches.
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
        """Lease a slot; return its number and generation, or None if none is free."""
        if not self._free:
            return None
        slot = self._free.pop()
        self._leased.add(slot)
        self._generations[slot] += 1
        return slot, self._generations[slot]

    def release(self, slot: int) -> None:
        """Release a leased slot.

        Raises:
            KeyError: it is not leased.
        """
        self._leased.remove(slot)
        self._free.append(slot)
