"""The memory of frames in a file: one for all cells of a machine, which outlives each process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from aggregator.frame_memory import Claim
from aggregator.machine_frames import MachineFrames
from aggregator.questions import at_once
from shared.clock import SYSTEM, Clock
from shared.config import LimitsSection
from tests.support.clock import SettableClock
from tests.support.log import logged

A, B = "a" * 32, "b" * 32
PICTURES = [number.to_bytes(16) for number in range(100)]


class Machine:
    """Makes memories over one file, and closes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: list[MachineFrames] = []

    def frames(self, clock: Clock = SYSTEM, **limits: float) -> MachineFrames:
        self._made.append(
            MachineFrames(LimitsSection.model_validate(limits), self.path, clock=clock)
        )
        return self._made[-1]

    def close(self) -> None:
        for frames in self._made:
            asyncio.run(frames.close())


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "frames.sqlite")
    yield made
    made.close()


def test_cells_know_each_other_s_frames(machine: Machine) -> None:
    """A file that was accepted in one cell is refused in the other."""
    first, second = machine.frames(), machine.frames()
    assert first.claimed(PICTURES[0], A) is Claim.FIRST
    assert second.claimed(PICTURES[0], B) is Claim.REUSED
    first.accept(PICTURES[0], A)
    assert second.claimed(PICTURES[0], B) is Claim.ACCEPTED
    assert second.claimed(PICTURES[0], A) is Claim.FIRST


def test_a_successor_knows_what_was_sent_before_it(machine: Machine) -> None:
    """Nothing was closed or written at the end: its predecessor was killed."""
    before = machine.frames()
    before.claimed(PICTURES[0], A)
    before.accept(PICTURES[1], A)
    after = machine.frames()
    assert after.claimed(PICTURES[0], B) is Claim.REUSED
    assert after.claimed(PICTURES[1], B) is Claim.ACCEPTED


def claims_of(path: Path, session: str) -> int:
    frames = MachineFrames(LimitsSection(), path)
    return sum(frames.claimed(picture, session) is Claim.FIRST for picture in PICTURES)


def test_each_frame_has_one_owner_among_processes(machine: Machine) -> None:
    """Also where all of them make the file at the same moment."""
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        sessions = [str(number) * 32 for number in range(3)]
        first = list(pool.map(claims_of, [machine.path] * 3, sessions))
    assert sum(first) == len(PICTURES)


def test_a_machine_that_started_again_forgets_nothing(machine: Machine) -> None:
    """Its monotonic clock began again, so the frames are from the future."""
    machine.frames(SettableClock(monotonic_time=90_000.0)).accept(PICTURES[0], A)
    clock = SettableClock(monotonic_time=10.0)
    frames = machine.frames(clock, reuseSeconds=100)
    assert frames.claimed(PICTURES[0], B) is Claim.ACCEPTED
    clock.advance(100.1)
    assert frames.claimed(PICTURES[0], B) is Claim.FIRST


def test_only_this_user_may_read_the_file(machine: Machine) -> None:
    """It names sessions."""
    machine.frames().claimed(PICTURES[0], A)
    files = list(machine.path.parent.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}


def test_without_its_file_a_cell_knows_its_own_frames(machine: Machine) -> None:
    """One line in the log says so, and another one when the file can be used again."""
    clock = SettableClock()
    machine.path.write_bytes(b"no database" * 100)
    with logged("aggregator.machine_frames", logging.INFO) as lines:
        frames = machine.frames(clock)
        assert frames.claimed(PICTURES[0], A) is Claim.FIRST
        assert frames.claimed(PICTURES[0], B) is Claim.REUSED
        machine.path.unlink()
        clock.advance(1.1)
        assert frames.claimed(PICTURES[1], A) is Claim.FIRST
    assert ["used again" in line["message"] for line in lines] == [False, True]
    assert machine.frames().claimed(PICTURES[1], B) is Claim.REUSED


def test_a_process_that_holds_the_file_stops_no_other(machine: Machine) -> None:
    """Its claims are answered from the memory of the process."""
    frames = machine.frames()
    holder = sqlite3.connect(machine.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert frames.claimed(PICTURES[0], A) is Claim.FIRST
    assert frames.claimed(PICTURES[0], B) is Claim.REUSED
    holder.close()


def test_a_frame_that_did_not_pass_is_known_here_only(machine: Machine) -> None:
    """It decides nothing, here or elsewhere, and would cost a write."""
    first, second = machine.frames(), machine.frames()
    answers = [
        at_once(frames.claim(PICTURES[0], session, passed=False))
        for frames, session in ((first, A), (first, B), (second, B))
    ]
    assert answers == [b"first", b"reused", b"first"]
    assert at_once(first.claim(PICTURES[1], A, passed=True)) == b"first"
    assert at_once(second.claim(PICTURES[1], B, passed=True)) == b"reused"
