"""The workers of a gateway: their leases, their counters, and the detection of lost ones."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from gateway import metrics
from gateway.death_watch import DeathWatch
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.config.service import WorkersSection
from shared.frame.estimation import Profile
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Ready

log = logging.getLogger(__name__)

CHANCES = 2


@dataclass(slots=True)
class Lease:
    """A worker's right to a slot for one frame; ``address`` is its session's at that time."""

    number: int
    slot: int
    generation: int
    session: Session
    frame: PendingFrame
    profile: Profile
    address: str = ""
    chances: int = CHANCES


@dataclass
class WorkerLink:
    """A connected worker; its first lease is the job that it is working on."""

    peer: bytes
    name: str
    pid: int
    credit: int
    tally: WorkerTally
    last_seen: float
    watch: DeathWatch | None = None
    leases: OrderedDict[int, Lease] = field(default_factory=OrderedDict)
    reserved: int = 0
    head_since: float = 0.0
    leaving: bool = False

    @property
    def spare(self) -> int:
        """Number of jobs that it can still get."""
        return 0 if self.leaving else self.credit - len(self.leases) - self.reserved

    @property
    def busy(self) -> bool:
        """Whether it has a job or will get one."""
        return bool(self.leases or self.reserved)

    @property
    def finished(self) -> bool:
        """Whether it is leaving and has no job, so its end is not a loss."""
        return self.leaving and not self.leases


@dataclass
class WorkerTally:
    """Counters of all processes with one worker's name, since the gateway's start.

    ``ended`` means that the last one left on purpose and has no successor yet.
    """

    name: str
    pid: int = 0
    estimated: int = 0
    lost: int = 0
    link: WorkerLink | None = None
    ended: bool = False

    @property
    def jobs(self) -> int:
        """Number of its jobs."""
        return len(self.link.leases) if self.link else 0

    @property
    def state(self) -> str:
        """``idle``, ``busy``, ``leaving`` or ``lost``."""
        if self.link is None:
            return "lost"
        if self.link.leaving:
            return "leaving"
        return "busy" if self.link.leases else "idle"


class Workers:
    """The connected workers by their peer address, and the counters of each name.

    ``died`` is called with a worker whose process has ended, and the reason.
    """

    def __init__(
        self,
        settings: WorkersSection,
        died: Callable[[WorkerLink, str], None],
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._died = died
        self._tallies: dict[str, WorkerTally] = {}
        self.links: dict[bytes, WorkerLink] = {}

    @property
    def ready(self) -> list[WorkerLink]:
        """Workers that accept jobs."""
        return [worker for worker in self.links.values() if not worker.leaving]

    @property
    def tallies(self) -> list[WorkerTally]:
        """Counters of each worker, including lost ones but not those that left on purpose."""
        return [tally for tally in self._tallies.values() if not tally.ended]

    @property
    def leases(self) -> int:
        """Number of leases of all workers."""
        return sum(len(worker.leases) for worker in self.links.values())

    @property
    def credit(self) -> int:
        """Total credit of the workers that accept jobs."""
        return sum(worker.credit for worker in self.links.values() if not worker.leaving)

    def idlest(self) -> WorkerLink | None:
        """Return the worker with most spare credit; a tie goes to the longest-running job."""
        idlest, most = None, 0
        for worker in self.links.values():
            spare = worker.spare
            if spare > most or (idlest and spare == most and worker.head_since < idlest.head_since):
                idlest, most = worker, spare
        return idlest

    def add(self, peer: bytes, ready: Ready) -> None:
        """Add a worker that is ready; ``died`` is called when its process ends."""
        tally = self._tallies.setdefault(ready.name, WorkerTally(ready.name))
        now = self._clock.monotonic()
        worker = WorkerLink(peer, ready.name, ready.pid, ready.credit, tally, last_seen=now)
        tally.pid, tally.link, tally.ended = ready.pid, worker, False
        self.links[peer] = worker
        worker.watch = DeathWatch(worker.pid, partial(self._died, worker, "dead"))
        log.info("worker ready", extra={"fields": {"worker": ready.name, "pid": ready.pid}})

    def overdue(self) -> Iterator[tuple[WorkerLink, str]]:
        """Yield workers that are silent or stuck in a job; the caller may remove each."""
        now = self._clock.monotonic()
        for worker in list(self.links.values()):
            if worker.leases:
                if now - worker.head_since > self._settings.jobTimeout:
                    yield worker, "stuck"
            elif now - worker.last_seen > self._settings.heartbeatTimeout:
                yield worker, "silent"

    def remove(self, worker: WorkerLink, reason: str) -> bool:
        """Remove a worker; count it as lost unless it has left. False if it was removed before."""
        if self.links.get(worker.peer) is not worker:
            return False
        self._unlink(worker)
        if not worker.finished:
            metrics.WORKERS_LOST.labels(reason).inc()
            worker.tally.lost += 1
            log.error("worker lost", extra={"fields": {"worker": worker.name, "reason": reason}})
        return True

    def close(self) -> None:
        """Stop watching the workers."""
        for worker in list(self.links.values()):
            self._unlink(worker)

    def _unlink(self, worker: WorkerLink) -> None:
        del self.links[worker.peer]
        if worker.tally.link is worker:
            worker.tally.link, worker.tally.ended = None, worker.finished
        if worker.watch is not None:
            worker.watch.close()
