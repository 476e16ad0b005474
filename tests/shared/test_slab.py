"""The slab: what was written is what is read, and stale use is seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import ResourceError, SlotError
from shared.slab import Slab, SlotHead, sweep


def test_a_reader_sees_the_writers_pixels(tmp_path: Path) -> None:
    """Both map the same memory."""
    writer = Slab.create(tmp_path / "slab-1", slots=2, pixels=100)
    reader = Slab.open(tmp_path / "slab-1")
    writer.write_head(1, SlotHead(7, 3, 5, 4))
    writer.pixels(1, 5, 4)[:] = 9
    assert (reader.frame(1, 7, 3) == 9).all()
    assert reader.frame(1, 7, 3).shape == (4, 5, 3)


def test_a_stale_generation_is_refused(tmp_path: Path) -> None:
    """A slot leased again does not pass for the frame before."""
    slab = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    slab.write_head(0, SlotHead(2, 1, 5, 5))
    with pytest.raises(SlotError, match="generation"):
        slab.frame(0, 1, 1)


@pytest.mark.parametrize("size", [(11, 1000), (0, 5), (-1, 5), (2000, 2000)])
def test_a_size_that_does_not_fit_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    """A lying head never reads beyond its slot."""
    slab = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    with pytest.raises(SlotError):
        slab.pixels(0, *size)


@pytest.mark.parametrize("slot", [-1, 1, 10**9])
def test_a_slot_out_of_range_is_refused(tmp_path: Path, slot: int) -> None:
    """There is no slot beyond the last."""
    slab = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    with pytest.raises(SlotError):
        slab.head(slot)


def test_the_file_is_private_and_removed(tmp_path: Path) -> None:
    """Mode 0600 while it lives; gone when its owner closes it."""
    slab = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    assert (tmp_path / "slab-1").stat().st_mode & 0o777 == 0o600
    slab.close()
    assert not (tmp_path / "slab-1").exists()


def test_a_full_file_system_is_one_clear_error(tmp_path: Path) -> None:
    """Memory that cannot be had is told before a page is touched, and no file is left."""
    with pytest.raises(ResourceError, match="cannot be reserved"):
        Slab.create(tmp_path / "slab-1", slots=4_000_000_000, pixels=64_000_000)
    assert not list(tmp_path.iterdir())


def test_sweep_removes_only_what_dead_processes_left(tmp_path: Path) -> None:
    """A living owner's slab stays, whatever its number: containers may share a memory folder."""
    living = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    (tmp_path / f"slab-{os.getpid()}").write_bytes(b"left by a process of the same number")
    (tmp_path / "slab-2").symlink_to(tmp_path / "slab-1")
    assert sweep(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slab-1", "slab-2"]
    living.close()


def test_a_reader_learns_that_the_slab_is_gone(tmp_path: Path) -> None:
    """So that it can let go of the memory."""
    writer = Slab.create(tmp_path / "slab-1", slots=1, pixels=100)
    reader = Slab.open(tmp_path / "slab-1")
    assert not reader.removed
    writer.close()
    assert reader.removed
    reader.close()


def test_a_file_that_is_no_slab_is_refused(tmp_path: Path) -> None:
    """Wrong magic, wrong size."""
    (tmp_path / "slab-1").write_bytes(b"x" * 8192)
    with pytest.raises(SlotError):
        Slab.open(tmp_path / "slab-1")
