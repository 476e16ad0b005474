"""Which worker gets the next job, and which one is given up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import pytest

from gateway.pool.workers import Lease, WorkerLink, Workers
from shared.config.service import WorkersSection
from shared.frame.estimation import Capabilities
from shared.wire.messages import Ready
from tests.support.clock import SettableClock

LEASE = cast("Lease", None)


@pytest.fixture
async def workers() -> Iterator[Workers]:
    """Three workers with a credit of two, whose processes live as long as the test's."""
    made = Workers(WorkersSection(jobTimeout=10.0, heartbeatTimeout=5.0), lambda *_: None)
    for name in ("a", "b", "c"):
        made.add(name.encode(), Ready(name, os.getpid(), 2, Capabilities(True, False, "x")))
    yield made
    made.close()


def link(workers: Workers, name: str) -> WorkerLink:
    return workers.links[name.encode()]


async def test_the_least_busy_worker_gets_the_next_job(workers: Workers) -> None:
    """Frames being decoded for a worker count; a leaving worker gets none."""
    link(workers, "a").leases[1] = LEASE
    link(workers, "b").leaving = True
    assert workers.idlest() is link(workers, "c")
    link(workers, "c").reserved = 2
    assert workers.idlest() is link(workers, "a")
    link(workers, "a").leases[2] = LEASE
    assert workers.idlest() is None


async def test_overdue_workers(workers: Workers) -> None:
    """Without a job silence makes a worker overdue; with a job only the job's duration does."""
    assert list(workers.overdue()) == []
    for name in ("a", "b"):
        link(workers, name).last_seen -= 6
    link(workers, "b").leases[1] = link(workers, "c").leases[2] = LEASE
    link(workers, "b").head_since = link(workers, "b").last_seen
    link(workers, "c").head_since = link(workers, "c").last_seen - 11
    found = [(worker.name, reason) for worker, reason in workers.overdue()]
    assert found == [("a", "silent"), ("c", "stuck")]


@pytest.mark.parametrize("step", [20.0, -3600.0, 86_400.0])
async def test_a_step_of_the_wall_clock_loses_no_worker(step: float) -> None:
    """Silence and jobs are measured by the monotonic clock."""
    clock = SettableClock()
    settings = WorkersSection(jobTimeout=10.0, heartbeatTimeout=5.0)
    made = Workers(settings, lambda *_: None, clock=clock)
    for name in ("silent", "stuck"):
        made.add(name.encode(), Ready(name, os.getpid(), 2, Capabilities(True, False, "x")))
    link(made, "stuck").leases[1] = LEASE
    link(made, "stuck").head_since = clock.monotonic()
    clock.step(step)
    overdue = []
    for seconds in (4.9, 0.2, 4.8, 0.2):
        clock.advance(seconds)
        overdue.append([worker.name for worker, _ in made.overdue()])
    made.close()
    assert overdue == [[], ["silent"], ["silent"], ["silent", "stuck"]]


async def test_a_worker_is_lost_once(workers: Workers) -> None:
    """A second detection is ignored, and so is one of a worker that has left."""
    lost, leaving = link(workers, "a"), link(workers, "b")
    leaving.leaving = True
    assert workers.remove(lost, "gone")
    assert not workers.remove(lost, "dead")
    assert workers.remove(leaving, "dead")
    assert [(tally.name, tally.state, tally.lost) for tally in workers.tallies] == [
        ("a", "lost", 1),
        ("c", "idle", 0),
    ]


async def test_a_late_message_of_a_dead_process_does_not_remove_its_successor(
    workers: Workers,
) -> None:
    """Both have the same peer address."""
    before = link(workers, "a")
    workers.remove(before, "silent")
    workers.add(before.peer, Ready("a", os.getpid(), 2, Capabilities(True, False, "x")))
    assert not workers.remove(before, "dead")
    assert [worker.name for worker in workers.ready] == ["b", "c", "a"]
