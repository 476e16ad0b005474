"""Frame slab: one memory-mapped file of fixed slots, allocated once, shared by gateway and workers.

Layout, little endian: a 4096-byte head (magic, slot count, slot bytes, slab name), then the slots.
Each slot begins with a 64-byte head (generation, sequence number, width, height) and its pixels at
byte 64, rows of width x 3 bytes BGR. The gateway alone writes; a slot's ownership travels in the
job message and never in memory. A generation, raised at every lease, exposes stale use.

The file is on a memory file system, mode 0600. ``multiprocessing.shared_memory`` is not used: its
resource tracker unlinks the segment when any attaching process ends (cpython#82300).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import ResourceError, SlotError
from shared.estimation import Image

MAGIC = b"LPSLAB01"
PAGE = 4096
SLOT_HEAD = 64
_HEAD = struct.Struct("<8sIQ32s")
_SLOT = struct.Struct("<QQII")
CHANNELS = 3


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
    """A mapped slab; create it in the gateway, open it in a worker."""

    def __init__(self, path: Path, mapping: mmap.mmap, *, lock: int | None = None) -> None:
        magic, slots, slot_bytes, name = _HEAD.unpack_from(mapping)
        if magic != MAGIC or len(mapping) != PAGE + slots * slot_bytes:
            raise SlotError("the file is not a frame slab")
        self.path = path
        self.name: str = name.decode("ascii")
        self.slots: int = slots
        self.slot_bytes: int = slot_bytes
        self._map = mapping
        self._lock = lock
        self._bytes = np.frombuffer(mapping, np.uint8)

    @classmethod
    def create(cls, path: Path, *, slots: int, pixels: int) -> Slab:
        """Make the file, reserve its memory and map it.

        Args:
            path: file to make, in a private folder.
            slots: number of slots.
            pixels: most pixels of a frame.

        Raises:
            ResourceError: the memory cannot be reserved. Reserving first matters: writing to a
                mapped page that the file system cannot back kills the process with SIGBUS.
        """
        slot_bytes, size = slab_bytes(slots, pixels)
        name = os.urandom(16).hex()
        try:
            descriptor = _make_locked(path)
        except OSError as error:
            raise ResourceError(
                f"frame slab {path}: {error.strerror}; check TRANSPORT.slabDirectory"
            ) from error
        try:
            os.posix_fallocate(descriptor, 0, size)
            mapping = mmap.mmap(descriptor, size)
        except OSError as error:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise ResourceError(
                f"frame slab {path}: {size / 1e6:.0f} MB cannot be reserved ({error.strerror}); "
                "free the memory file system or lower TRANSPORT.slots or LIMITS.framePixels"
            ) from error
        _HEAD.pack_into(mapping, 0, MAGIC, slots, slot_bytes, name.encode("ascii"))
        return cls(path, mapping, lock=descriptor)

    @classmethod
    def open(cls, path: Path) -> Slab:
        """Map an existing slab for reading.

        Raises:
            SlotError: the file is gone or is not a slab.
        """
        try:
            with path.open("rb") as file:
                mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SlotError("the frame slab cannot be mapped") from error
        if len(mapping) < PAGE:
            raise SlotError("the file is not a frame slab")
        return cls(path, mapping)

    @property
    def removed(self) -> bool:
        """Whether the file is gone, and with it the gateway that wrote to it."""
        return not self.path.exists()

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
        """Unmap, and remove the file where this process made it."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._lock)
        del self._bytes
        # A view that a caller still holds keeps the mapping until it is collected.
        with contextlib.suppress(BufferError):
            self._map.close()


def _make_locked(path: Path) -> int:
    """Make a new file and lock it, for as long as the descriptor is open.

    Between making and locking, another gateway's ``sweep`` may take the file for abandoned; then
    it is made anew.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        descriptor = os.open(path, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def sweep(directory: Path) -> int:
    """Remove slabs that no living gateway holds locked; how many there were."""
    removed = 0
    for path in directory.glob("slab-*"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            removed += 1
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
    return removed
