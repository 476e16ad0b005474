"""The slab and its slots; the gateway alone makes it, and leases and frees them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from shared.cells import worker_count
from shared.clock import SYSTEM, Clock
from shared.config import Config
from shared.errors import ResourceError
from shared.private import private_directory
from shared.slab import Slab, sweep

EXTRA_SLOTS = 2
LETTING_GO_SECONDS = 2.0
"""For workers to let go of the slab of a gateway that died, where there is no room for two."""


def slot_count(config: Config) -> int:
    """Slots of this cell: as configured, else one for each job and some that are being decoded."""
    return config.TRANSPORT.slots or worker_count(config) * config.WORKERS.credit + EXTRA_SLOTS


def make_slab(config: Config, *, clock: Clock = SYSTEM) -> Slab:
    """Make this gateway's slab in a private folder of the memory file system.

    Raises:
        ResourceError: the folder cannot be made or the memory not reserved.
    """
    directory = private_directory(
        Path(config.TRANSPORT.slabDirectory) / f"lunapass-{os.getuid()}", "TRANSPORT.slabDirectory"
    )
    left = sweep(directory)
    slots = slot_count(config)
    path, pixels = directory / f"slab-{os.getpid()}", config.LIMITS.framePixels
    end = clock.monotonic() + LETTING_GO_SECONDS
    while left and clock.monotonic() < end:
        with contextlib.suppress(ResourceError):
            return Slab.create(path, slots=slots, pixels=pixels)
        time.sleep(0.1)  # its memory is free once the workers have let go of it
    return Slab.create(path, slots=slots, pixels=pixels)


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
