"""The slab: reads return what was written, stale use is detected, and only its creator writes."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ResourceError, SlotError
from shared.frame.slab import Slab, SlotHead


@pytest.fixture
def slab() -> Iterator[Slab]:
    made = Slab.create(slots=2, pixels=100)
    yield made
    made.close()


def test_a_reader_sees_the_writers_pixels(slab: Slab) -> None:
    """Both map the same memory with the same name and inode."""
    reader = Slab.of_descriptor(os.dup(slab.descriptor))
    slab.write_head(1, SlotHead(7, 3, 5, 4))
    slab.pixels(1, 5, 4)[:] = 9
    assert (reader.frame(1, 7, 3) == 9).all()
    assert reader.frame(1, 7, 3).shape == (4, 5, 3)
    assert (reader.name, reader.inode) == (slab.name, slab.inode)
    reader.close()


def test_a_stale_generation_is_refused(slab: Slab) -> None:
    """A slot that was leased again is not taken for the previous frame."""
    slab.write_head(0, SlotHead(2, 1, 5, 5))
    with pytest.raises(SlotError, match="generation"):
        slab.frame(0, 1, 1)


@pytest.mark.parametrize("size", [(11, 1000), (0, 5), (-1, 5), (2000, 2000)])
def test_a_size_that_does_not_fit_is_refused(slab: Slab, size: tuple[int, int]) -> None:
    """A forged header never causes a read beyond its slot."""
    with pytest.raises(SlotError):
        slab.pixels(0, *size)


@pytest.mark.parametrize("slot", [-1, 2, 10**9])
def test_a_slot_out_of_range_is_refused(slab: Slab, slot: int) -> None:
    """The slot's number is checked."""
    with pytest.raises(SlotError):
        slab.head(slot)


def test_the_holder_of_the_descriptor_cannot_write(slab: Slab) -> None:
    """A mapping, a write, a new size and a hole are all refused; the creator can write."""
    descriptor = slab.descriptor  # open for reading and writing
    with pytest.raises(PermissionError):
        mmap.mmap(descriptor, 0)
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 4096)
    for size in (0, 10**6):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    slab.write_head(0, SlotHead(1, 1, 5, 5))
    assert slab.head(0).generation == 1


def test_a_process_that_opens_it_again_cannot_write(slab: Slab) -> None:
    """This includes a process of the same user that opens it through /proc."""
    again = os.open(f"/proc/self/fd/{slab.descriptor}", os.O_RDWR)
    with pytest.raises(PermissionError):
        mmap.mmap(again, 0)
    with pytest.raises(PermissionError):
        os.pwrite(again, b"x", 4096)
    os.close(again)


def test_a_mapping_cannot_be_made_writable(slab: Slab) -> None:
    """mprotect(2) does not bypass the seal either."""
    reader = mmap.mmap(slab.descriptor, 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)
    start = next(
        int(line.split("-")[0], 16)
        for line in Path("/proc/self/maps").read_text().splitlines()
        if "memfd:lunapass-slab" in line and line.split()[1] == "r--s"
    )
    libc = ctypes.CDLL(None, use_errno=True)
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    assert libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(4096), protection) == -1
    reader.close()


def test_memory_that_others_could_change_is_refused(slab: Slab) -> None:
    """Memory without the seals is not a slab, whatever its header says."""
    descriptor = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.pwrite(descriptor, os.pread(slab.descriptor, 10**6, 0), 0)
    with pytest.raises(SlotError, match="not sealed"):
        Slab.of_descriptor(descriptor)
    os.close(descriptor)


def test_a_file_is_refused(tmp_path: Path) -> None:
    """Files of a file system cannot be sealed."""
    path = tmp_path / "slab"
    path.write_bytes(bytes(8192))
    descriptor = os.open(path, os.O_RDWR)
    with pytest.raises(SlotError, match="mapped"):
        Slab.of_descriptor(descriptor)
    os.close(descriptor)


def test_an_impossible_size_is_one_clear_error() -> None:
    """It names the settings to lower."""
    with pytest.raises(ResourceError, match=r"cannot be reserved.*TRANSPORT\.slots"):
        Slab.create(slots=4_000_000_000, pixels=64_000_000_000)
