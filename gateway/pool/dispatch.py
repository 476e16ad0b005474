"""Sends waiting frames to workers: credit, fair queue, leases, time-outs, one retry.

A worker that dies, stops or gets stuck loses its leases. Its current job has used one of its two
chances; jobs that only waited at the worker have not. Late answers find no lease.
"""

import logging
from collections import deque
from functools import partial
from itertools import count
from typing import Protocol

import zmq

from gateway import metrics
from gateway.ledger import Ledger
from gateway.pool.best_shot import encode_best_shot
from gateway.pool.decoding import Decoders, decode_into
from gateway.pool.fair_queue import FairQueue
from gateway.pool.quarantine import Quarantine
from gateway.pool.slots import SlotAllocator
from gateway.pool.workers import Lease, WorkerLink, Workers
from gateway.state.pending_frame import PendingFrame
from gateway.state.session import Session
from shared.codes import Code
from shared.config.service import Config
from shared.errors import FrameError, MessageError
from shared.frame.estimation import Profile, Stage
from shared.frame.slab import Slab
from shared.process.clock import SYSTEM, Clock
from shared.wire.lines import WORKERS
from shared.wire.messages import (
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
from shared.wire.transport import serve

log = logging.getLogger(__name__)

DECODER_THREADS = 2


class FrameReceiver(Protocol):
    """Receives the outcome of each frame."""

    def estimated(self, session: Session, frame: PendingFrame, estimate: bytes) -> None:
        """Receive the packed estimate of a frame."""

    def refuse(self, session: Session, frame: PendingFrame, error: FrameError) -> None:
        """Receive a frame that cannot be decoded."""


class Dispatcher:
    """Owns the slots and leases and communicates with the workers."""

    def __init__(
        self,
        config: Config,
        slab: Slab,
        offer: SlabOffer,
        ledger: Ledger,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self._monotonic = clock.monotonic
        self._slab = slab
        self._slab_offer = offer
        self._receiver: FrameReceiver | None = None
        self._slots = SlotAllocator(slab)
        self._quarantine = Quarantine(config, clock=clock)
        self._ledger = ledger
        self.workers = Workers(config.WORKERS, self._lose, clock=clock)
        self._ready = FairQueue()
        self._retries: deque[Lease] = deque()
        self._lent: dict[str, int] = {}
        self._numbers = count(1)
        self._encoding = 0
        self._shot_bytes = config.LIMITS.bestshotBytes
        self._closed = False
        self._decoders = Decoders(DECODER_THREADS)
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._channel = serve(socket, config, WORKERS, self._receive)

    def report_to(self, receiver: FrameReceiver) -> None:
        """Register the receiver of outcomes. Called once, from the receiver's constructor."""
        self._receiver = receiver

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
        """Number of frames that are leased, wait for a retry or are being encoded."""
        return self.workers.leases + len(self._retries) + self._encoding

    def submit(self, session: Session) -> None:
        """Queue a session whose waiting frame may start."""
        self._ready.push(session, self._monotonic())
        self._pump()

    def close(self) -> None:
        """Stop communicating with the workers."""
        self._closed = True
        self.workers.close()
        self._channel.close()
        self._decoders.close()

    def sweep(self) -> None:
        """Remove workers that are silent or stuck; called a few times a second."""
        for worker, reason in self.workers.overdue():
            self._lose(worker, reason)
        self._ready.tidy(self._monotonic())  # without workers, nothing is popped
        self._pump()
        self._quarantine.maintain()

    # Sending jobs

    def _pump(self) -> None:
        while (self._retries or self._ready.count) and (
            worker := self.workers.idlest()
        ) is not None:
            if self._retries:
                self._send(worker, self._retries.popleft())
            elif (lease := self._next(ahead=worker.busy)) is not None:
                self._decode(worker, lease)
            else:
                return

    def _next(self, *, ahead: bool) -> Lease | None:
        """Lease a slot to the next queued session whose waiting frame may start.

        If ``ahead``, the worker is busy, so the frame would wait at the worker.
        """
        admit = self._may_wait_ahead if ahead else None
        while self._slots.free and (session := self._ready.pop(admit)) is not None:
            if not session.dispatchable:
                continue
            slot = self._slots.lease()
            assert slot is not None
            frame, profile = session.start()
            metrics.QUEUE.observe(self._monotonic() - frame.received)
            self._lent[session.address] = self._lent.get(session.address, 0) + 1
            number = next(self._numbers)
            return Lease(number, *slot, session, frame, profile, session.address)
        return None

    def _may_wait_ahead(self, address: str) -> bool:
        """Return whether a frame of an address may wait at a busy worker.

        It avoids a pause of the worker between two frames, but it delays frames of other addresses
        that arrive meanwhile. So each address gets only its share of these places, at least one.
        """
        share = self.workers.credit // max(1, self._ready.active)
        return self._lent.get(address, 0) < max(1, share)

    def _decode(self, worker: WorkerLink, lease: Lease) -> None:
        """Decode in a thread, then send; until then the worker's credit is reserved."""
        worker.reserved += 1
        lease.frame.begun = self._monotonic()
        decoding = partial(
            decode_into,
            self._slab,
            lease.slot,
            lease.generation,
            lease.frame.seq,
            lease.frame.data,
            lease.frame.header,
        )
        self._decoders.submit(decoding, partial(self._decoded, worker, lease))

    def _decoded(self, worker: WorkerLink, lease: Lease, error: Exception | None) -> None:
        if self._closed:
            return
        worker.reserved -= 1
        metrics.DECODE.observe(self._monotonic() - lease.frame.begun)
        if error is not None:
            if not isinstance(error, FrameError):
                fields = {"session": lease.session.id, "seq": lease.frame.seq}
                log.error("decoding failed", exc_info=error, extra={"fields": fields})
                error = FrameError("the decoder failed")
            self._release(lease)
            assert self._receiver is not None  # it submitted the frame
            self._receiver.refuse(lease.session, lease.frame, error)
        elif self.workers.links.get(worker.peer) is worker and not worker.leaving:
            self._send(worker, lease)
        else:  # lost meanwhile; if it has returned, it is a new link with other leases
            self._retries.append(lease)
        self._pump()

    def _send(self, worker: WorkerLink, lease: Lease) -> None:
        lease.number = next(self._numbers)
        sent = self._monotonic()
        job = Job(
            lease.number,
            lease.slot,
            lease.generation,
            lease.session.id,
            lease.frame.seq,
            lease.profile,
            lease.session.opened.mirrored,
            lease.frame.deadline,
            lease.frame.rotation,
            lease.session.expects_refusal,
        )
        if self._channel.send(encode(job), worker.peer):
            lease.frame.sent = sent
            if not worker.leases:
                worker.head_since = sent
            worker.leases[lease.number] = lease
        else:  # this frame has not reached a worker, so it keeps its chances
            self._retries.appendleft(lease)
            self._lose(worker, "gone")
        metrics.DISPATCH.observe(self._monotonic() - sent)

    def _finish(self, lease: Lease, estimate: bytes) -> None:
        self._release(lease)
        assert self._receiver is not None  # it submitted the frame
        self._receiver.estimated(lease.session, lease.frame, estimate)

    def _release(self, lease: Lease) -> None:
        self._slots.release(lease.slot)
        lent = self._lent.pop(lease.address) - 1
        if lent:  # otherwise every address that ever connected would stay
            self._lent[lease.address] = lent

    # Receiving answers

    def _receive(self, peer: bytes, data: bytes) -> None:
        try:
            message = decode(data)
            worker = self.workers.links.get(peer)
            if isinstance(message, Ready):
                self._welcome(peer, message)
            elif worker is None:
                self._offer(peer)
            elif isinstance(message, Done):
                self._done(worker, message)
            elif isinstance(message, Alive):
                worker.last_seen = self._monotonic()
            elif isinstance(message, Account):
                self._ledger.record(message)
            elif isinstance(message, Leaving):
                worker.leaving = True
            else:
                raise MessageError(f"{type(message).__name__} is not for the gateway")
        except MessageError as error:
            log.error("invalid message from a worker: %s", error)
        self._pump()

    def _offer(self, peer: bytes) -> None:
        self._channel.send(encode(self._slab_offer), peer)

    def _welcome(self, peer: bytes, ready: Ready) -> None:
        if ready.slab != self._slab.name:
            self._offer(peer)
            return
        if peer not in self.workers.links:
            self.workers.add(peer, ready)

    def _done(self, worker: WorkerLink, done: Done) -> None:
        now = self._monotonic()
        worker.last_seen = now
        lease = worker.leases.get(done.lease)
        if lease is None:
            return
        if (lease.slot, lease.generation) != (done.slot, done.generation):
            raise MessageError(
                f"answer for lease {done.lease} names slot {done.slot}, generation"
                f" {done.generation}, but the job had {lease.slot}, {lease.generation}"
            )
        del worker.leases[done.lease]
        metrics.ESTIMATE.observe(now - max(worker.head_since, lease.frame.sent))
        worker.tally.estimated += 1
        worker.head_since = now
        lease.frame.estimated = now
        lease.frame.passed = done.passed and lease.profile is Profile.PASSIVE
        lease.frame.refused_early = done.early
        if lease.frame.passed and lease.session.may_use_image(done.score):
            self._encode(lease, done.estimate)
        else:  # it cannot become the best shot
            self._finish(lease, done.estimate)

    # The best shot

    def _encode(self, lease: Lease, estimate: bytes) -> None:
        """Encode a frame in a thread; its slot stays leased, but its worker is free."""
        self._encoding += 1
        encoding = partial(encode_best_shot, self._slab, lease, self._shot_bytes)
        self._decoders.submit(encoding, partial(self._encoded, lease, estimate))

    def _encoded(self, lease: Lease, estimate: bytes, error: Exception | None) -> None:
        if self._closed:
            return
        self._encoding -= 1
        metrics.ENCODE.observe(self._monotonic() - lease.frame.estimated)
        if error is not None:  # without a best shot it would fail later, and its session with it
            fields = {"session": lease.session.id, "seq": lease.frame.seq}
            log.error("encoding failed", exc_info=error, extra={"fields": fields})
            estimate = lease.frame.failed(lease.profile, Stage.FACES, Code.ESTIMATION_FAILED)
            lease.frame.passed = False
        self._finish(lease, estimate)
        self._pump()

    # Losses

    def _lose(self, worker: WorkerLink, reason: str) -> None:
        """Revoke a worker's leases; it must send ``Ready`` again to get jobs."""
        if not self.workers.remove(worker, reason):
            return
        for index, lease in enumerate(worker.leases.values()):
            if index == 0:  # the job that ran; the others only waited
                lease.chances -= 1
            if lease.chances > 0:
                self._retries.append(lease)
            else:
                self._give_up(lease)
        worker.leases.clear()

    def _give_up(self, lease: Lease) -> None:
        """Answer a frame that has used its chances; the frame itself may be the cause."""
        frame = lease.frame
        storing = partial(self._quarantine.store, lease.session.id, frame.seq, frame.data)
        self._decoders.submit(storing)
        self._finish(lease, frame.failed(lease.profile, Stage.FACES, Code.ESTIMATION_FAILED))
