"""A chaos run: many clients play while a nemesis injects faults; then the history is checked."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.attempt import Attempt
from tests.chaos.faults import Nemesis
from tests.chaos.history import History
from tests.chaos.invariants import Terms, Violation, check
from tests.chaos.nemesis import schedule
from tests.chaos.player import Player
from tests.support.service import KEY, Service, running

DEADLINE, GRACE, ATTEMPTS, WORKERS = 5.0, 2.0, 60, 2
SETTINGS = f"""
[LIVENESS]
maxAttempts = {ATTEMPTS}
[LIMITS]
framePixels = 307200
frameDeadline = {DEADLINE}
resumeSeconds = 20.0
livenessRefusals = 0
reconnects = 1000
drainSeconds = 1.0
[SUPERVISOR]
crashLimit = 100000
respawnDelay = 0.05
respawnDelayMax = 0.5
watchdogSeconds = 5.0
"""
WORKER_SETTINGS = "jobTimeout = 1.0\nheartbeatTimeout = 2.0\n"
TRACES, TRACED_EVENTS = 5, 12


@dataclass
class Report:
    """The result of a run."""

    seconds: float
    seed: int
    history: History
    faults: Counter[str]
    violations: list[Violation] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Return the report as readable lines."""
        attempts = [Attempt.read(p, e) for p, e in self.history.attempts().items()]
        kinds = Counter(str(event.kind) for event in self.history.events)
        verdicts = Counter(a.results[0].body["isOk"] for a in attempts if a.results)
        frames = [frame for attempt in attempts for frame in attempt.frames]
        answered = [f.answers[0].at - f.sent for f in frames if f.answers]
        not_judged = sum(f.status is not None and f.status.body["errors"] == [2] for f in frames)
        yield f"chaos: {self.seconds:.0f} s, seed {self.seed}"
        yield f"faults: {sum(n for k, n in self.faults.items() if k != 'skipped')}"
        yield from (f"  {name}: {count}" for name, count in sorted(self.faults.items()))
        yield (
            f"sessions: {len(attempts)} ({verdicts[True]} accepted, {verdicts[False]} refused, "
            f"{sum(a.left for a in attempts)} left), connections: {kinds['connected']}"
        )
        yield (
            f"frames: {len(frames)} sent, {kinds['status']} judged ({not_judged} with code 2), "
            f"{kinds['dropped']} dropped, {sum(f.lost for f in frames)} lost with a gateway, "
            f"{sum(f.cut is not None and not f.lost for f in frames)} cut off"
        )
        yield f"longest wait for an answer: {max(answered, default=0):.2f} s"
        yield f"violations: {len(self.violations)}"
        yield from (f"  {v.invariant}: person {v.person}: {v.what}" for v in self.violations)
        yield from self.traces()

    def traces(self) -> Iterator[str]:
        """Return the last events of some attempts that broke an invariant.

        Compare them with the log.
        """
        attempts = self.history.attempts()
        to_epoch = time.time() - time.monotonic()
        for person in list(dict.fromkeys(v.person for v in self.violations))[:TRACES]:
            yield f"  person {person}:"
            for event in attempts.get(person, [])[-TRACED_EVENTS:]:
                at = f"{event.at + to_epoch:.3f}"
                yield f"    {at} {event.kind} {event.connection} {event.seq} {event.body}"[:150]


def service_under_test() -> contextlib.AbstractContextManager[Service]:
    """Run the service that gets the faults."""
    return running(SETTINGS, workers=WORKERS, worker_settings=WORKER_SETTINGS)


async def crowd(service: Service, history: History, seed: int, people: int, until: float) -> None:
    """Play attempts, a fixed number at a time, until the time is over.

    Each is played to its end.
    """
    numbers = iter(range(1, 1_000_000))

    async def visitor() -> None:
        while time.monotonic() < until:
            person = next(numbers)
            await Player(person, service.url, history, random.Random(f"{seed}/{person}")).play()

    await asyncio.gather(*(visitor() for _ in range(people)))


async def not_recovered(service: Service) -> list[str]:
    """Return what has not recovered after the faults."""
    await asyncio.to_thread(service.wait_ready)
    wrong: list[str] = []
    for _ in range(60):
        wrong = await asyncio.to_thread(_unrecovered, service)
        if not wrong:
            break
        await asyncio.sleep(0.25)
    return wrong


def _unrecovered(service: Service) -> list[str]:
    wrong = []
    state = service.get("/statistics").json()
    if (slots := state["slots"])["free"] != slots["total"]:
        wrong.append(f"{slots['free']} of {slots['total']} slots are free")
    if leases := service.metric("lunapass_open_leases"):
        wrong.append(f"{leases:.0f} leases are open")
    ready = [worker for worker in state["workers"] if worker["state"] in ("idle", "busy")]
    if len(ready) != WORKERS:
        wrong.append(f"{len(ready)} of {WORKERS} workers")
    mapped = {slab for pid in service.pids("worker") for slab in slabs_of(pid)}
    if len(mapped) > 1:
        wrong.append(f"workers hold the slabs {sorted(mapped)}")
    return wrong


def slabs_of(pid: int) -> set[str]:
    """Return the inodes of the slabs that a process maps; none if only root may look."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return set()
    return {line.split()[4] for line in lines if "memfd:lunapass-slab" in line}


def leftover_files(directory: Path) -> list[str]:
    """Return the files that a stopped service left behind, except those it keeps on purpose."""
    found = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    return [str(p) for p in found if "quarantine" not in p.parts and p.stem != "frames"]


def unexpected_errors(log: str) -> list[str]:
    """Return the lines of the log that report an unexpected error."""
    return [line[:300] for line in log.splitlines() if "Traceback" in line or "exception" in line]


async def _play(seconds: float, seed: int, people: int) -> Report:
    history = History()
    with service_under_test() as service:
        nemesis = Nemesis(service, random.Random(seed))
        begun = time.monotonic()
        await asyncio.gather(
            crowd(service, history, seed, people, begun + seconds),
            nemesis.run(schedule(seed, seconds)),
        )
        wrong = await not_recovered(service)
        until = time.monotonic()
        terms = Terms(DEADLINE, GRACE, tuple(nemesis.stopped), ATTEMPTS, KEY, until)
        report = Report(until - begun, seed, history, nemesis.done, check(history, terms))
        report.violations += [Violation("not_recovered", 0, what) for what in wrong]
        service.end()
        report.violations += [
            Violation("no_file_left", 0, name) for name in leftover_files(service.directory / "run")
        ]
        log = (service.directory / "log").read_text()
        report.violations += [
            Violation("no_unexpected_error", 0, line) for line in unexpected_errors(log)
        ]
    return report


def play(seconds: float, seed: int, *, people: int = 12) -> Report:
    """Run chaos for some seconds and check it."""
    return asyncio.run(_play(seconds, seed, people))
