"""The memory of frames in a file: all cells of a machine share it, and it survives each process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from aggregator.frame_memory import Claim
from aggregator.machine_frames import CHECK_SECONDS, RETRY_SECONDS, MachineFrames
from aggregator.questions import at_once
from shared.config.service import LimitsSection
from shared.process.clock import SYSTEM, Clock
from tests.support.clock import SettableClock
from tests.support.log import logged

A, B = "a" * 32, "b" * 32
PICTURES = [number.to_bytes(16) for number in range(100)]


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process holds the file's lock in the middle of a write."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


class Machine:
    """Opens memories on one file, and closes them."""

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


def test_cells_share_their_frames(machine: Machine) -> None:
    """A frame that was accepted in one cell is refused in the other."""
    first, second = machine.frames(), machine.frames()
    assert first.claim_now(PICTURES[0], A) is Claim.FIRST
    assert second.claim_now(PICTURES[0], B) is Claim.REUSED
    first.accept(PICTURES[0], A)
    assert second.claim_now(PICTURES[0], B) is Claim.ACCEPTED
    assert second.claim_now(PICTURES[0], A) is Claim.FIRST


def test_a_restarted_process_knows_earlier_frames(machine: Machine) -> None:
    """Its predecessor was killed and closed nothing."""
    before = machine.frames()
    before.claim_now(PICTURES[0], A)
    before.accept(PICTURES[1], A)
    after = machine.frames()
    assert after.claim_now(PICTURES[0], B) is Claim.REUSED
    assert after.claim_now(PICTURES[1], B) is Claim.ACCEPTED


def claims_of(path: Path, session: str) -> int:
    frames = MachineFrames(LimitsSection(), path)
    return sum(frames.claim_now(picture, session) is Claim.FIRST for picture in PICTURES)


def test_each_frame_has_one_owner_across_processes(machine: Machine) -> None:
    """This holds even if all processes create the file at the same moment."""
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        sessions = [str(number) * 32 for number in range(3)]
        first = list(pool.map(claims_of, [machine.path] * 3, sessions))
    assert sum(first) == len(PICTURES)


def test_a_rebooted_machine_forgets_no_frame(machine: Machine) -> None:
    """Its monotonic clock starts again, so the stored times lie in the future."""
    machine.frames(SettableClock(monotonic_time=90_000.0)).accept(PICTURES[0], A)
    clock = SettableClock(monotonic_time=10.0)
    frames = machine.frames(clock, reuseSeconds=100)
    assert frames.claim_now(PICTURES[0], B) is Claim.ACCEPTED
    clock.advance(100.1)
    assert frames.claim_now(PICTURES[0], B) is Claim.FIRST


def test_only_this_user_may_read_the_file(machine: Machine) -> None:
    """The file contains session ids."""
    machine.frames().claim_now(PICTURES[0], A)
    files = list(machine.path.parent.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}


def test_a_cell_without_the_file_knows_its_own_frames(machine: Machine) -> None:
    """One log line reports that the file is unusable, and another one that it can be used again."""
    clock = SettableClock()
    machine.path.mkdir()
    with logged("aggregator.machine_frames", logging.INFO) as lines:
        frames = machine.frames(clock)
        assert frames.claim_now(PICTURES[0], A) is Claim.FIRST
        assert frames.claim_now(PICTURES[0], B) is Claim.REUSED
        machine.path.rmdir()
        clock.advance(RETRY_SECONDS)
        assert frames.claim_now(PICTURES[1], A) is Claim.FIRST
    assert ["works again" in line["message"] for line in lines] == [False, True]
    assert machine.frames().claim_now(PICTURES[1], B) is Claim.REUSED


def test_frames_missed_by_the_file_are_written_later(machine: Machine) -> None:
    """They are written before any new frame, so other cells know them from then on."""
    clock = SettableClock()
    first, second = machine.frames(clock), machine.frames(clock)
    with held(machine.path):
        assert first.claim_now(PICTURES[0], A) is Claim.FIRST
        first.claim_now(PICTURES[1], A)
        first.accept(PICTURES[1], A)
    clock.advance(RETRY_SECONDS)
    first.claim_now(PICTURES[2], A)
    assert second.claim_now(PICTURES[0], B) is Claim.REUSED
    assert second.claim_now(PICTURES[1], B) is Claim.ACCEPTED


def damage(path: Path) -> None:
    """Damage that a crash of the machine may leave."""
    with path.open("r+b") as file:
        file.write(b"no database" * 1000)


def test_a_removed_file_is_created_again(machine: Machine) -> None:
    """The next process creates it, and processes with the old file open soon find the new one."""
    clock = SettableClock()
    with logged("aggregator") as lines:
        first = machine.frames(clock)
        first.claim_now(PICTURES[0], A)
        machine.path.unlink()
        second = machine.frames(clock)
        clock.advance(CHECK_SECONDS)
        assert first.claim_now(PICTURES[1], A) is Claim.FIRST
    assert second.claim_now(PICTURES[1], B) is Claim.REUSED
    assert ["removed or replaced" in line["message"] for line in lines] == [True]


def test_a_damaged_file_is_replaced(machine: Machine) -> None:
    """The damaged file is kept beside the new one, and the log names it."""
    asyncio.run(machine.frames().close())
    damage(machine.path)
    with logged("aggregator") as lines:
        first, second = machine.frames(), machine.frames()
    assert first.claim_now(PICTURES[0], A) is Claim.FIRST
    assert second.claim_now(PICTURES[0], B) is Claim.REUSED
    assert ["is damaged" in line["message"] for line in lines] == [True]
    assert machine.path.with_suffix(".damaged").exists()


def test_a_file_damaged_during_use_is_replaced(machine: Machine) -> None:
    """The frame is then known through the new file."""
    clock = SettableClock()
    first, second = machine.frames(clock), machine.frames(clock)
    first.claim_now(PICTURES[0], A)
    with sqlite3.connect(machine.path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(machine.path)
    for frames in (first, second, first, second):
        assert frames.claim_now(PICTURES[1], A) is Claim.FIRST
        clock.advance(CHECK_SECONDS)
    assert machine.frames(clock).claim_now(PICTURES[1], B) is Claim.REUSED
    assert machine.path.with_suffix(".damaged").exists()


def test_a_locked_file_blocks_no_other_process(machine: Machine) -> None:
    """Claims are answered from the memory of the process meanwhile."""
    frames = machine.frames()
    with held(machine.path):
        assert frames.claim_now(PICTURES[0], A) is Claim.FIRST
        assert frames.claim_now(PICTURES[0], B) is Claim.REUSED


def test_a_failed_frame_is_not_written_to_the_file(machine: Machine) -> None:
    """It decides nothing in any cell, and would cost a write."""
    first, second = machine.frames(), machine.frames()
    answers = [
        at_once(frames.claim(PICTURES[0], session, passed=False))
        for frames, session in ((first, A), (first, B), (second, B))
    ]
    assert answers == [b"first", b"reused", b"first"]
    assert at_once(first.claim(PICTURES[1], A, passed=True)) == b"first"
    assert at_once(second.claim(PICTURES[1], B, passed=True)) == b"reused"
