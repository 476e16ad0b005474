"""The slab has the configured size, and never more than the available memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.pool.slots import SlotAllocator, available_memory, make_slab
from shared.config.service import Config, TransportSection
from shared.errors import ResourceError
from shared.frame.slab import Slab
from shared.process.cgroups import ControlGroups


def test_a_slab_that_does_not_fit_is_refused() -> None:
    """The check precedes the allocation: the kernel would kill a process when memory runs out."""
    config = Config(TRANSPORT=TransportSection(slots=10**9))
    with pytest.raises(ResourceError, match=r"MB are free; .*TRANSPORT\.slots"):
        make_slab(config)


def test_the_lower_limit_applies(tmp_path: Path) -> None:
    """It is the available memory of the machine, or the limit of the control group."""
    information = tmp_path / "meminfo"
    information.write_text("MemTotal: 9000 kB\nMemAvailable:    2000 kB\n")
    none = tmp_path / "process"
    assert available_memory(ControlGroups(none), information) == 2_048_000
    assert available_memory(ControlGroups(none), tmp_path / "hidden") > 2_048_000
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "memory.max").write_text("1000000\n")
    none.mkdir()
    (none / "mountinfo").write_text(f"1 1 0:1 / {tmp_path}/group rw - cgroup2 cgroup2 rw\n")
    (none / "cgroup").write_text("0::/\n")
    assert available_memory(ControlGroups(none), information) == 1_000_000


def test_a_slot_that_was_leased_again_has_another_generation() -> None:
    """The slot freed last is leased first; none is leased twice."""
    slab = Slab.create(slots=2, pixels=100)
    slots = SlotAllocator(slab)
    first, second = slots.lease(), slots.lease()
    assert first is not None
    assert second is not None
    assert slots.lease() is None
    slots.release(first[0])
    assert slots.lease() == (first[0], first[1] + 1)
    assert slots.free == 0
    slab.close()
