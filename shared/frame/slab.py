"""Frame slab: shared memory of gateway and workers with fixed slots, allocated once.

Layout, little endian: a 4096-byte header (magic, slot count, slot bytes, slab name), then the
slots. Each slot has a 64-byte header (generation, frame number, width, height) and its pixels from
byte 64 on, rows of width x 3 bytes BGR. Only the gateway writes; job messages, not the memory, say
who owns a slot. Each lease raises the slot's generation, which exposes stale use.

The memory is a sealed memfd: it has no path, and it is freed with the last process that maps it.
Once the gateway has mapped it, the kernel lets no other process write to it, not even one of the
same user that reopens it through ``/proc`` (memfd_create(2), F_SEAL_FUTURE_WRITE). So the gateway
encodes exactly the pixels that a worker has judged. ``slab_handover`` passes it to the workers.
``multiprocessing.shared_memory`` is not suitable: every process of the user can write to its
segments, and its resource tracker unlinks them when any attached process ends (cpython#82300).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from typing import NamedTuple

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
"""Existing mappings stay writable, new ones are not (linux/fcntl.h); missing in ``fcntl``."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL | F_SEAL_FUTURE_WRITE
LESS_MEMORY = "free memory, or lower TRANSPORT.slots or LIMITS.framePixels"


class SlotHead(NamedTuple):
    """Header of a slot."""

    generation: int
    seq: int
    width: int
    height: int


def slab_bytes(slots: int, pixels: int) -> tuple[int, int]:
    """Return the size in bytes of a slot for that many pixels, and of the whole slab."""
    slot = -(-(SLOT_HEAD + pixels * CHANNELS) // PAGE) * PAGE
    return slot, PAGE + slots * slot


class Slab:
    """A mapped slab: ``create`` makes it in the gateway, ``of_descriptor`` maps it in a worker.

    Attributes:
        name: random name in the slab's header.
        inode: inode of the memory; no other memory has the same.
        slot_bytes: size of a slot including its header.
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

        Raises:
            ResourceError: the memory cannot be reserved or sealed. It is reserved first because a
                write to a mapped page without memory kills the process with SIGBUS.
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
                f"frame slab: cannot be sealed ({error.strerror}); needs Linux 5.1 or newer"
            ) from error
        return cls(mapping, descriptor)

    @classmethod
    def of_descriptor(cls, descriptor: int) -> Slab:
        """Map a sealed slab for reading; it closes the descriptor, but not after an error.

        Raises:
            SlotError: it is not a slab, or other processes could change it.
        """
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
            if seals & SEALS != SEALS:
                raise SlotError("the memory is not sealed, so other processes could change it")
            mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SlotError("the frame slab cannot be mapped") from error
        if len(mapping) < PAGE:
            raise SlotError("the memory is not a frame slab")
        return cls(mapping, descriptor)

    def _offset(self, slot: int) -> int:
        if not 0 <= slot < self.slots:
            raise SlotError(f"slot {slot} does not exist; there are {self.slots} (from 0)")
        return PAGE + slot * self.slot_bytes

    def head(self, slot: int) -> SlotHead:
        """Read a slot's header."""
        return SlotHead(*_SLOT.unpack_from(self._map, self._offset(slot)))

    def write_head(self, slot: int, head: SlotHead) -> None:
        """Write a slot's header.

        Raises:
            SlotError: the frame does not fit into a slot.
        """
        offset = self._offset(slot)
        if SLOT_HEAD + head.width * head.height * CHANNELS > self.slot_bytes:
            raise SlotError(f"frame of {head.width}x{head.height} does not fit into a slot")
        _SLOT.pack_into(self._map, offset, *head)

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
            SlotError: the slot holds another frame, or its header is invalid.
        """
        self.check(slot, generation, seq)
        head = self.head(slot)
        return self.pixels(slot, head.width, head.height)

    def check(self, slot: int, generation: int, seq: int) -> None:
        """Check that a slot still holds a job's frame; call this before and after reading it.

        Raises:
            SlotError: it does not.
        """
        head = self.head(slot)
        if head.generation != generation or head.seq != seq:
            raise SlotError(f"slot {slot} holds generation {head.generation}, not {generation}")

    def close(self) -> None:
        """Unmap; the memory is freed once every process has unmapped it."""
        os.close(self.descriptor)
        del self._bytes
        # While a caller holds a view, the mapping stays until the view is collected.
        with contextlib.suppress(BufferError):
            self._map.close()
