"""Gives waiting frames to workers: credit, round robin, leases, time-outs, one second chance.

A worker that dies, stops or gets stuck loses its leases. The job it was working on has had one of
its two chances; those that merely waited at its side have not. Late answers find no lease.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import zmq

from gateway import metrics
from gateway.death_watch import DeathWatch
from gateway.decoding import Decoders, decode_into
from gateway.ledger import Ledger
from gateway.quarantine import Quarantine
from gateway.session import PendingFrame, Session
from gateway.slots import SlotAllocator
from shared.codes import Code
from shared.config import Config
from shared.errors import FrameError, MessageError
from shared.estimation import Profile, Stage
from shared.messages import (
    Account,
    Alive,
    Done,
    Job,
    Leaving,
    Ready,
    SlabOffer,
    decode,
    encode,
)
from shared.slab import Slab
from shared.transport import Channel, bind, workers_address

log = logging.getLogger(__name__)

CHANCES = 2
DECODER_THREADS = 2

Estimated = Callable[[Session, PendingFrame, bytes], None]


@dataclass(slots=True)
class Lease:
    """A slot lent to a worker for one frame."""

    number: int
    slot: int
    generation: int
    session: Session
    frame: PendingFrame
    profile: Profile
    chances: int = CHANCES


@dataclass
class WorkerLink:
    """A worker as the gateway knows it; the first lease is the one it works on."""

    peer: bytes
    name: str
    pid: int
    credit: int
    watch: DeathWatch | None = None
    leases: OrderedDict[int, Lease] = field(default_factory=OrderedDict)
    reserved: int = 0
    last_seen: float = field(default_factory=time.monotonic)
    head_since: float = 0.0
    leaving: bool = False

    @property
    def spare(self) -> int:
        """Jobs it may still be given."""
        return 0 if self.leaving else self.credit - len(self.leases) - self.reserved

    @property
    def finished(self) -> bool:
        """Whether it leaves and owes nothing, so that its end is no loss."""
        return self.leaving and not self.leases


@dataclass
class Tally:
    """What the processes of one worker's name have done since the gateway's start.

    ``ended`` says that the last one left on purpose and that none has come after it yet.
    """

    name: str
    pid: int = 0
    judged: int = 0
    lost: int = 0
    link: WorkerLink | None = None
    ended: bool = False

    @property
    def jobs(self) -> int:
        """Jobs it holds."""
        return len(self.link.leases) if self.link else 0

    @property
    def state(self) -> str:
        """``idle``, ``busy``, ``leaving`` or ``lost``."""
        if self.link is None:
            return "lost"
        if self.link.leaving:
            return "leaving"
        return "busy" if self.link.leases else "idle"


class Dispatcher:
    """Owns the slots and leases and speaks with the workers.

    Args:
        config: the configuration.
        slab: the slab, made by this process.
        estimated: called with each frame's packed estimate.
        ledger: takes the workers' accounts.
    """

    def __init__(self, config: Config, slab: Slab, estimated: Estimated, ledger: Ledger) -> None:
        self._config = config
        self._slab = slab
        self._estimated = estimated
        self._slots = SlotAllocator(slab)
        self._quarantine = Quarantine(config)
        self._ledger = ledger
        self._tallies: dict[str, Tally] = {}
        self._workers: dict[bytes, WorkerLink] = {}
        self._ready: deque[Session] = deque()
        self._retries: deque[Lease] = deque()
        self._next_lease = 1
        self._closed = False
        self._decoders = Decoders(DECODER_THREADS)
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        bind(socket, workers_address(config))
        self._channel = Channel(socket, self._receive)

    @property
    def workers(self) -> list[WorkerLink]:
        """Workers that take jobs."""
        return [worker for worker in self._workers.values() if not worker.leaving]

    @property
    def tallies(self) -> list[Tally]:
        """What each worker has done, also one that is lost now, but none that left on purpose."""
        return [tally for tally in self._tallies.values() if not tally.ended]

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self._slab.slots

    @property
    def free_slots(self) -> int:
        """Number of free slots."""
        return self._slots.free

    @property
    def open_leases(self) -> int:
        """Number of frames lent to workers or waiting for a second chance."""
        return sum(len(w.leases) for w in self._workers.values()) + len(self._retries)

    def submit(self, session: Session) -> None:
        """Put a session in line, if its waiting frame may begin."""
        if session.dispatchable and not session.queued:
            session.queued = True
            self._ready.append(session)
        self._pump()

    def close(self) -> None:
        """Stop speaking with the workers."""
        self._closed = True
        for worker in list(self._workers.values()):
            self._forget(worker)
        self._channel.close()
        self._decoders.close()

    def sweep(self) -> None:
        """Find workers that are silent or stuck; to be called a few times a second."""
        now = time.monotonic()
        settings = self._config.WORKERS
        for worker in list(self._workers.values()):
            if worker.leases:
                if now - worker.head_since > settings.jobTimeout:
                    self._lose(worker, "stuck")
            elif now - worker.last_seen > settings.heartbeatTimeout:
                self._lose(worker, "silent")
        self._tidy()
        self._pump()

    def _tidy(self) -> None:
        """Let go of sessions without a frame to judge; without workers nobody else does."""
        for _ in range(len(self._ready)):
            session = self._ready.popleft()
            session.queued = session.dispatchable
            if session.queued:
                self._ready.append(session)

    # Jobs out

    def _pump(self) -> None:
        while (self._retries or self._ready) and (worker := self._idlest()) is not None:
            if self._retries:
                self._send(worker, self._retries.popleft())
            elif (lease := self._next()) is not None:
                self._begin(worker, lease)
            else:
                return

    def _idlest(self) -> WorkerLink | None:
        idlest, most = None, 0
        for worker in self._workers.values():
            if (spare := worker.spare) > most:
                idlest, most = worker, spare
        return idlest

    def _next(self) -> Lease | None:
        """Lease a slot to the next session in line that still has a frame to judge."""
        while self._ready and self._slots.free:
            session = self._ready.popleft()
            session.queued = False
            if not session.dispatchable:
                continue
            slot = self._slots.lease()
            assert slot is not None
            frame, session.waiting = session.waiting, None
            assert frame is not None
            assert session.profile is not None
            session.active = frame
            metrics.QUEUE.note(time.monotonic() - frame.received)
            return Lease(self._number(), slot[0], slot[1], session, frame, session.profile)
        return None

    def _number(self) -> int:
        self._next_lease += 1
        return self._next_lease

    def _begin(self, worker: WorkerLink, lease: Lease) -> None:
        """Decode in a thread, then send; the worker's credit is reserved meanwhile."""
        header = lease.frame.header
        assert header is not None
        worker.reserved += 1
        lease.frame.begun = time.monotonic()
        decoding = partial(
            decode_into,
            self._slab,
            lease.slot,
            lease.generation,
            lease.frame.seq,
            lease.frame.data,
            header,
        )
        self._decoders.submit(decoding, partial(self._decoded, worker, lease))

    def _decoded(self, worker: WorkerLink, lease: Lease, error: Exception | None) -> None:
        if self._closed:
            return
        worker.reserved -= 1
        metrics.DECODE.note(time.monotonic() - lease.frame.begun)
        if error is not None:
            if not isinstance(error, FrameError):
                log.error("decoding failed", exc_info=error)
            code = Code.FRAME_UNDECODABLE
            self._finish(lease, lease.frame.failed(lease.profile, Stage.DECODE, code))
        elif self._workers.get(worker.peer) is worker and not worker.leaving:
            self._send(worker, lease)
        else:  # lost meanwhile; one that came back is another, with other leases
            self._retries.append(lease)
        self._pump()

    def _send(self, worker: WorkerLink, lease: Lease) -> None:
        lease.number = self._number()
        sent = lease.frame.sent = time.monotonic()
        if not worker.leases:
            worker.head_since = sent
        worker.leases[lease.number] = lease
        job = Job(
            lease.number,
            lease.slot,
            lease.generation,
            lease.session.id,
            lease.frame.seq,
            lease.profile,
            lease.session.opened.mirrored,
            lease.frame.deadline,
        )
        if not self._channel.send(encode(job), worker.peer):
            self._lose(worker, "gone")
        metrics.DISPATCH.note(time.monotonic() - sent)

    def _finish(self, lease: Lease, estimate: bytes) -> None:
        self._slots.release(lease.slot)
        self._estimated(lease.session, lease.frame, estimate)

    # Answers in

    def _receive(self, peer: bytes, data: bytes) -> None:
        try:
            message = decode(data)
            worker = self._workers.get(peer)
            if isinstance(message, Ready):
                self._welcome(peer, message)
            elif worker is None:
                self._offer(peer)
            elif isinstance(message, Done):
                self._done(worker, message)
            elif isinstance(message, Alive):
                worker.last_seen = time.monotonic()
            elif isinstance(message, Account):
                self._ledger.take(message)
            elif isinstance(message, Leaving):
                worker.leaving = True
            else:
                raise MessageError(f"{type(message).__name__} is not for the gateway")
        except MessageError as error:
            log.error("unreadable message of a worker: %s", error)
        self._pump()

    def _offer(self, peer: bytes) -> None:
        self._channel.send(encode(SlabOffer(str(self._slab.path), self._slab.name)), peer)

    def _welcome(self, peer: bytes, ready: Ready) -> None:
        if ready.slab != self._slab.name:
            self._offer(peer)
            return
        if peer in self._workers:
            return
        worker = WorkerLink(peer, ready.name, ready.pid, ready.credit)
        self._workers[peer] = worker
        worker.watch = DeathWatch(worker.pid, partial(self._lose, worker, "dead"))
        tally = self._tallies.setdefault(ready.name, Tally(ready.name))
        tally.pid, tally.link, tally.ended = ready.pid, worker, False
        log.info("worker ready", extra={"fields": {"worker": ready.name, "pid": ready.pid}})

    def _done(self, worker: WorkerLink, done: Done) -> None:
        now = time.monotonic()
        worker.last_seen = now
        lease = worker.leases.get(done.lease)
        if lease is None:
            return
        if (lease.slot, lease.generation) != (done.slot, done.generation):
            raise MessageError("an answer names another slot than its job")
        del worker.leases[done.lease]
        metrics.ESTIMATE.note(now - max(worker.head_since, lease.frame.sent))
        self._tallies[worker.name].judged += 1
        worker.head_since = now
        lease.frame.passed = done.passed
        self._finish(lease, done.estimate)

    # Losses

    def _lose(self, worker: WorkerLink, reason: str) -> None:
        """Revoke a worker's leases; it must say ``Ready`` anew to get jobs again."""
        if self._workers.get(worker.peer) is not worker:
            return
        self._forget(worker)
        if not worker.finished:
            metrics.WORKERS_LOST.labels(reason).inc()
            self._tallies[worker.name].lost += 1
            log.error("worker lost", extra={"fields": {"worker": worker.name, "reason": reason}})
        for index, lease in enumerate(worker.leases.values()):
            lease.chances -= index == 0
            if lease.chances > 0:
                self._retries.append(lease)
            else:
                code = Code.ESTIMATION_FAILED
                frame = lease.frame
                self._decoders.submit(
                    partial(self._quarantine.keep, lease.session.id, frame.seq, frame.data)
                )
                self._finish(lease, lease.frame.failed(lease.profile, Stage.FACES, code))
        worker.leases.clear()

    def _forget(self, worker: WorkerLink) -> None:
        self._workers.pop(worker.peer, None)
        tally = self._tallies.get(worker.name)
        if tally is not None and tally.link is worker:
            tally.link, tally.ended = None, worker.finished
        if worker.watch is not None:
            worker.watch.close()
