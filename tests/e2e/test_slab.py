"""Frames are in shared memory that only the gateway can change."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import Service, running


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(workers=1) as started:
        yield started


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a worker as itself does")
def test_a_worker_cannot_change_the_frames_that_it_judges(service: Service) -> None:
    """If it could reopen its mapping for writing, tokens could show images that were not judged."""
    process = Path(f"/proc/{service.pids('worker')[0]}")
    maps = (process / "maps").read_text().splitlines()
    slabs = [line.split()[0] for line in maps if "slab" in line and line.split()[1][3] == "s"]
    assert slabs
    for name in slabs:
        descriptor = os.open(process / "map_files" / name, os.O_RDWR)
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, 0)
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", os.fstat(descriptor).st_size - 1)
        os.close(descriptor)
