"""Frame slab: one piece of memory in fixed slots, allocated once, shared by gateway and workers.

Layout, little endian: a 4096-byte head (magic, slot count, slot bytes, slab name), then the slots.
Each slot begins with a 64-byte head (generation, sequence number, width, height) and its pixels at
byte 64, rows of width x 3 bytes BGR. The gateway alone writes; a slot's ownership travels in the
job message and never in memory. A generation, raised at every lease, exposes stale use.

The memory is a sealed memfd: no file names it, and it ends with the last process that maps it. Once
the gateway has mapped it, the kernel lets no other process write to it, not even one of the same
user that opens it again through ``/proc`` (memfd_create(2), F_SEAL_FUTURE_WRITE). So the pixels
that a worker has judged are those that the gateway encodes. ``slab_handover`` gives it to
the workers. ``multiprocessing.shared_memory`` is not used: each process of the user can write to
its segments, and its resource tracker unlinks them when any attaching process ends (cpython#82300).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from dataclasses import dataclass

import numpy as np

from shared.errors import ResourceError, SlotError
from shared.frame.estimation import Image

MAGIC = b"LPSLAB01"
PAGE = 4096
SLOT_HEAD = 64
_HEAD = struct.Struct("<8sIQ32s")
_SLOT = struct.Struct("<QQII")
CHANNELS = 3
F_SEAL_FUTURE_WRITE = 0x10
"""Mappings that are there may still be written, new ones not (linux/fcntl.h); not in ``fcntl``."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | F_SEAL_FUTURE_WRITE
LESS_MEMORY = "free memory, or lower TRANSPORT.slots or LIMITS.framePixels"


@dataclass(frozen=True, slots=True)
class SlotHead:
    """What a slot says of itself."""

    generation: int
    seq: int
    width: int
    height: int


def slab_bytes(slots: int, pixels: int) -> tuple[int, int]:
    """Return the bytes of a slot for frames of so many pixels, and those of the whole slab."""
    slot = -(-(SLOT_HEAD + pixels * CHANNELS) // PAGE) * PAGE
    return slot, PAGE + slots * slot


class Slab:
    """A mapped slab; ``create`` it in the gateway, ``of_descriptor`` maps it in a worker.

    Attributes:
        name: random, in the slab's head.
        inode: the kernel's number of the memory, by which nothing else can pass for it.
        slots: how many there are.
        slot_bytes: bytes of each, its head included.
    """

    def __init__(self, mapping: mmap.mmap, descriptor: int) -> None:
        magic, slots, slot_bytes, name = _HEAD.unpack_from(mapping)
        if magic != MAGIC or len(mapping) != PAGE + slots * slot_bytes:
            raise SlotError("the memory is not a frame slab")
        self.name: str = name.decode("ascii", "replace")
        self.inode = os.fstat(descriptor).st_ino
        self.slots: int = slots
        self.slot_bytes: int = slot_bytes
        self.descriptor = descriptor
        self._map = mapping
        self._bytes = np.frombuffer(mapping, np.uint8)

    @classmethod
    def create(cls, *, slots: int, pixels: int) -> Slab:
        """Reserve the memory, map it for writing, and seal it against every other writer.

        Args:
            slots: number of slots.
            pixels: most pixels of a frame.

        Raises:
            ResourceError: the memory cannot be reserved or sealed. Reserving first matters: writing
                to a mapped page that cannot be backed kills the process with SIGBUS.
        """
        slot_bytes, size = slab_bytes(slots, pixels)
        descriptor = os.memfd_create("lunapass-slab", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(descriptor, 0, size)
            mapping = mmap.mmap(descriptor, size)
        except (OSError, OverflowError) as error:
            os.close(descriptor)
            raise ResourceError(
                f"frame slab: {size / 1e6:.0f} MB cannot be reserved ({error}); {LESS_MEMORY}"
            ) from error
        name = os.urandom(16).hex()
        _HEAD.pack_into(mapping, 0, MAGIC, slots, slot_bytes, name.encode("ascii"))
        try:
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
        except OSError as error:
            mapping.close()
            os.close(descriptor)
            raise ResourceError(
                f"frame slab: it cannot be sealed ({error.strerror}); needs Linux 5.1 or newer"
            ) from error
        return cls(mapping, descriptor)

    @classmethod
    def of_descriptor(cls, descriptor: int) -> Slab:
        """Map a sealed slab for reading.

        Args:
            descriptor: of the memory; the slab closes it. On an error it stays open.

        Raises:
            SlotError: it is no slab, or others could change it.
        """
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
            if seals & SEALS != SEALS:
                raise SlotError("the memory is not sealed, so that others could change it")
            mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SlotError("the frame slab cannot be mapped") from error
        if len(mapping) < PAGE:
            raise SlotError("the memory is not a frame slab")
        return cls(mapping, descriptor)

    def _offset(self, slot: int) -> int:
        if not 0 <= slot < self.slots:
            raise SlotError(f"slot {slot} of {self.slots}")
        return PAGE + slot * self.slot_bytes

    def head(self, slot: int) -> SlotHead:
        """Read a slot's head."""
        return SlotHead(*_SLOT.unpack_from(self._map, self._offset(slot)))

    def write_head(self, slot: int, head: SlotHead) -> None:
        """Write a slot's head.

        Raises:
            SlotError: the frame does not fit into a slot.
        """
        offset = self._offset(slot)
        if SLOT_HEAD + head.width * head.height * CHANNELS > self.slot_bytes:
            raise SlotError(f"frame of {head.width}x{head.height} does not fit into a slot")
        _SLOT.pack_into(self._map, offset, head.generation, head.seq, head.width, head.height)

    def pixels(self, slot: int, width: int, height: int) -> Image:
        """View a slot's pixels as an image of the given size, without copying.

        Raises:
            SlotError: the size does not fit into a slot.
        """
        length = width * height * CHANNELS
        if width < 1 or height < 1 or SLOT_HEAD + length > self.slot_bytes:
            raise SlotError(f"frame of {width}x{height} does not fit into a slot")
        start = self._offset(slot) + SLOT_HEAD
        return self._bytes[start : start + length].reshape(height, width, CHANNELS)

    def frame(self, slot: int, generation: int, seq: int) -> Image:
        """View the frame of a job, after checking that the slot still holds it.

        Raises:
            SlotError: the slot was given to another frame, or its head is impossible.
        """
        self.check(slot, generation, seq)
        head = self.head(slot)
        return self.pixels(slot, head.width, head.height)

    def check(self, slot: int, generation: int, seq: int) -> None:
        """Make sure that a slot still holds a job's frame; to be asked before and after reading.

        Raises:
            SlotError: it does not.
        """
        head = self.head(slot)
        if head.generation != generation or head.seq != seq:
            raise SlotError(f"slot {slot} holds generation {head.generation}, not {generation}")

    def close(self) -> None:
        """Unmap; the memory is free once every process has unmapped it."""
        os.close(self.descriptor)
        del self._bytes
        # A view that a caller still holds keeps the mapping until it is collected.
        with contextlib.suppress(BufferError):
            self._map.close()
