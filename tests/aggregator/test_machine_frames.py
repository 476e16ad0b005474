"""The memory of frames in a file: one for all cells of a machine, which outlives each process."""

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
    """Another process stands still in the middle of a write."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


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
    assert first.claim_now(PICTURES[0], A) is Claim.FIRST
    assert second.claim_now(PICTURES[0], B) is Claim.REUSED
    first.accept(PICTURES[0], A)
    assert second.claim_now(PICTURES[0], B) is Claim.ACCEPTED
    assert second.claim_now(PICTURES[0], A) is Claim.FIRST


def test_a_successor_knows_what_was_sent_before_it(machine: Machine) -> None:
    """Nothing was closed or written at the end: its predecessor was killed."""
    before = machine.frames()
    before.claim_now(PICTURES[0], A)
    before.accept(PICTURES[1], A)
    after = machine.frames()
    assert after.claim_now(PICTURES[0], B) is Claim.REUSED
    assert after.claim_now(PICTURES[1], B) is Claim.ACCEPTED


def claims_of(path: Path, session: str) -> int:
    frames = MachineFrames(LimitsSection(), path)
    return sum(frames.claim_now(picture, session) is Claim.FIRST for picture in PICTURES)


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
    assert frames.claim_now(PICTURES[0], B) is Claim.ACCEPTED
    clock.advance(100.1)
    assert frames.claim_now(PICTURES[0], B) is Claim.FIRST


def test_only_this_user_may_read_the_file(machine: Machine) -> None:
    """It names sessions."""
    machine.frames().claim_now(PICTURES[0], A)
    files = list(machine.path.parent.iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files} == {0}


def test_without_its_file_a_cell_knows_its_own_frames(machine: Machine) -> None:
    """One line in the log says so, and another one when the file can be used again."""
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


def test_what_the_file_did_not_take_is_written_later(machine: Machine) -> None:
    """Before anything else is, so that other cells know it from then on."""
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
    """What a crash of the machine may leave."""
    with path.open("r+b") as file:
        file.write(b"no database" * 1000)


def test_a_removed_file_is_made_again(machine: Machine) -> None:
    """By the next process that begins; those that use the old one find the new one soon."""
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
    """It is kept beside the new one, and the log says so."""
    asyncio.run(machine.frames().close())
    damage(machine.path)
    with logged("aggregator") as lines:
        first, second = machine.frames(), machine.frames()
    assert first.claim_now(PICTURES[0], A) is Claim.FIRST
    assert second.claim_now(PICTURES[0], B) is Claim.REUSED
    assert ["is damaged" in line["message"] for line in lines] == [True]
    assert machine.path.with_suffix(".damaged").exists()


def test_damage_that_shows_in_use(machine: Machine) -> None:
    """The file is replaced, and the frame is known in the end."""
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


def test_a_process_that_holds_the_file_stops_no_other(machine: Machine) -> None:
    """Its claims are answered from the memory of the process."""
    frames = machine.frames()
    with held(machine.path):
        assert frames.claim_now(PICTURES[0], A) is Claim.FIRST
        assert frames.claim_now(PICTURES[0], B) is Claim.REUSED


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
