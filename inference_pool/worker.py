"""A worker process: receives a job, reads its slot, estimates the frame and answers.

It owns no session state. The loop is synchronous: one job at a time on one CPU. The worker sends
``Ready`` first, once its models are warm, so the gateway gives jobs only to workers that can
process them.
"""

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType

import cv2
import numpy as np
import zmq

from inference_pool.backends import load_backend, with_checks
from inference_pool.estimator import Estimator
from shared.codes import Code
from shared.config.handover import PartSource
from shared.config.parts import Part
from shared.config.service import Config
from shared.errors import LunaPassError, MessageError, ModelError, SlotError
from shared.frame.checks import Rules
from shared.frame.estimation import Backend, Capabilities, Estimate, Image, Profile, Stage
from shared.frame.slab_handover import LentSlab
from shared.process.accounts import Accounts
from shared.process.affinity import cpu_of_worker, pin_to
from shared.process.clock import SYSTEM, Clock
from shared.process.process import about
from shared.process.role import Role, set_up_process
from shared.wire.lines import WORKERS
from shared.wire.messages import (
    Account,
    Alive,
    Done,
    Job,
    Leaving,
    Message,
    Ready,
    SlabOffer,
    decode,
    encode,
)
from shared.wire.transport import connect, start_threads

log = logging.getLogger(__name__)

WARM_UP_FRAMES = 2
LINGER_MS = 500
"""Time for which messages wait for a gateway: at the end, and while the queue is full."""


class Worker:
    """One estimator behind one DEALER socket.

    It exits when its parent, the supervisor, exits. The gateway sets the deadlines of jobs by the
    same clock.
    """

    def __init__(
        self,
        source: PartSource,
        name: str,
        make: Callable[[Config], Estimator],
        capabilities: Capabilities,
        *,
        parent: int | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self._clock = clock
        self._config = source.part.config
        self._role = Role(source, parent=parent, clock=clock)
        self._name = name
        self._accounts = Accounts(name)
        self._make = make
        self._estimator = make(self._config)
        self._capabilities = capabilities
        self._lent: LentSlab | None = None
        self._reloading = False
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.SNDTIMEO, LINGER_MS)
        connect(self._socket, self._config, WORKERS)

    def run(self) -> None:
        """Process jobs until asked to stop or until the supervisor exits."""
        self._send_ready()
        self._role.ready("waiting for jobs")
        self._socket.setsockopt(zmq.RCVTIMEO, int(self._config.WORKERS.heartbeatInterval * 1000))
        while self._role.runs:
            self._role.notifier.beat()
            if self._reloading:
                self._reloading = False
                self._role.reload(self._apply)
            data = self._next()
            if data is None:
                self._idle()
            else:
                self._receive(data)
            if self._accounts.due(self._clock.monotonic()):  # once a second
                self._send(self._accounts.message())
        self._finish()

    def leave(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Signal handler: finish the assigned jobs and exit."""
        self._role.stop()

    def reload(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Signal handler: apply a new configuration after the current job."""
        self._reloading = True

    def _apply(self, part: Part) -> None:
        self._estimator = self._make(part.config)
        self._config = part.config

    def _send_ready(self) -> None:
        ready = Ready(
            name=self._name,
            pid=os.getpid(),
            credit=self._config.WORKERS.credit,
            capabilities=self._capabilities,
            slab=self._lent.slab.name if self._lent else "",
        )
        self._send(ready)

    def _send(self, message: Message) -> None:
        """Send a message; drop it if the queue is full, as after minutes without a gateway.

        Without a bound the worker would block there, and miss a stop. Heartbeats and accounts are
        not worth waiting for; other messages wait ``LINGER_MS``.
        """
        flags = zmq.DONTWAIT if isinstance(message, Alive | Account) else 0
        with contextlib.suppress(zmq.Again):
            self._socket.send(encode(message), flags)

    def _next(self) -> bytes | None:
        """Wait for a message; None if none arrived within the heartbeat interval."""
        try:
            return self._socket.recv()
        except zmq.Again:
            return None

    def _receive(self, data: bytes) -> None:
        try:
            message = decode(data)
        except MessageError as error:
            log.error("invalid message from the gateway: %s", error)
            return
        if isinstance(message, Job):
            self._work(message)
        elif isinstance(message, SlabOffer) and self._role.runs:
            self._map(message)  # a worker that leaves must not register again

    def _idle(self) -> None:
        """Send a heartbeat, and unmap the slab of a gateway that died.

        Its memory is freed, and available to the next gateway, only when every worker has unmapped
        it.
        """
        if self._lent is not None and self._lent.withdrawn:
            self._unmap()
        self._send(Alive())

    def _map(self, offer: SlabOffer) -> None:
        """Map the gateway's slab; if that fails, the gateway is gone and the next will offer one.

        If heartbeats crossed the first offer, the same offer arrives again. The slab then stays
        mapped: mapping it a second time could fail, and a known worker gets no further offer.
        """
        if self._lent is None or not self._lent.is_of(offer):
            try:
                lent = LentSlab(offer)
            except SlotError as error:
                log.error("slab offer refused: %s", error)
                return
            self._unmap()
            self._lent = lent
        self._send_ready()

    def _unmap(self) -> None:
        if self._lent is not None:
            self._lent.close()
            self._lent = None

    def _work(self, job: Job) -> None:
        start = self._clock.monotonic()
        with about(session=job.session, seq=job.seq):
            estimate = self._estimate(job)
            _log_estimate(estimate)
        estimate.rotation = job.rotation
        packed = encode(estimate)
        score = estimate.liveness.score if estimate.liveness else None
        early = estimate.refused_early and (estimate.quick or not job.quick)
        self._send(Done(job.lease, job.slot, job.generation, estimate.ok, packed, score, early))
        for step, milliseconds in estimate.timings.items():
            self._accounts.observe(step, milliseconds / 1000)
        self._accounts.observe("job", self._clock.monotonic() - start)

    def _estimate(self, job: Job) -> Estimate:
        """Estimate the job's frame; any failure becomes code 2, never a passed check."""
        failed = Estimate(0, 0, job.profile, Stage.FACES, (Code.ESTIMATION_FAILED,))
        if self._lent is None or self._clock.monotonic() > job.deadline:
            return failed
        slab = self._lent.slab
        try:
            image = slab.frame(job.slot, job.generation, job.seq)
            estimate = self._estimator.estimate(
                image, job.profile, mirrored=job.mirrored, quick=job.quick
            )
            slab.check(job.slot, job.generation, job.seq)
        except LunaPassError as error:
            log.error("frame not estimated: %s", error)
            return failed
        except Exception:
            log.exception("frame not estimated")
            return failed
        return estimate

    def _finish(self) -> None:
        """Process the jobs that were already sent, then close."""
        self._role.notifier.stopping()
        self._send(Leaving())
        while self._socket.poll(100):
            self._receive(self._socket.recv())
        self._socket.close()
        self._role.notifier.close()


def _log_estimate(estimate: Estimate) -> None:
    """Log at level 2 how far a frame got, its codes, and the time of each stage."""
    if log.isEnabledFor(logging.DEBUG):
        times = {stage: round(time, 2) for stage, time in estimate.timings.items()}
        fields = {
            "stage": estimate.stage.name.lower(),
            "codes": list(estimate.errors),
            "quick": estimate.quick,
            "milliseconds": times,
        }
        log.debug("frame estimated", extra={"fields": fields})


def warm_up(estimator: Estimator) -> None:
    """Estimate blank frames, because the first estimates are slow."""
    image: Image = np.full((480, 640, 3), 127, np.uint8)
    for profile in (Profile.PASSIVE, Profile.ACTIVE) * WARM_UP_FRAMES:
        estimator.estimate(image, profile)


def require_liveness(backend: Backend, config: Config) -> None:
    """Refuse to start if a photograph could pass as a person.

    Raises:
        ModelError: the backend has no passive liveness, or a weak one, and ActiveLiveness is off.
    """
    found = backend.capabilities
    if found.passive_liveness and not found.needs_actions:
        return
    if not found.passive_liveness:
        log.warning("passive liveness is off: %s has no model for it", found.name)
    if not config.MIDDLEWARES.WS.ActiveLiveness.isEnabled:
        lack = "its passive liveness is weak" if found.passive_liveness else "no passive liveness"
        raise ModelError(
            f"{found.name}: {lack}, and [MIDDLEWARES.WS.ActiveLiveness] is off, so pictures of a "
            "face could pass as a person; turn it on, or run 'lunapass models pull' where the "
            "reference models are available"
        )


def require_descriptor(backend: Backend, config: Config) -> None:
    """Refuse to start if FaceMatcher is on without a descriptor model.

    Raises:
        ModelError: FaceMatcher is on and the backend computes no descriptors.
    """
    if config.MIDDLEWARES.WS.FaceMatcher.isEnabled and not backend.capabilities.descriptor:
        raise ModelError(
            f"{backend.capabilities.name} cannot describe faces, which [MIDDLEWARES.WS.FaceMatcher]"
            " compares; turn it off, or run 'lunapass models pull' where the model is available"
        )


def make_estimator(backend: Backend, config: Config) -> Estimator:
    """Create the estimator for a configuration, at the start and after each reload.

    FaceMatcher needs the descriptors of frames that passed, AggregateLiveness also those of frames
    that failed only at the liveness stage. LifeSigns counts these frames, too, so it needs their
    eyelids and scene, and their descriptors if those that passed have one.

    Raises:
        ModelError: the backend lacks what the configuration needs.
    """
    require_liveness(backend, config)
    require_descriptor(backend, config)
    plugins = config.MIDDLEWARES.WS
    describe = plugins.AggregateLiveness.isEnabled or plugins.FaceMatcher.isEnabled
    counts = plugins.AggregateLiveness.isEnabled or plugins.LifeSigns.isEnabled
    return Estimator(
        with_checks(backend, config.CHECKS),
        Rules.of(config),
        describe=describe,
        describe_refused=describe and counts,
        signs=plugins.LifeSigns.isEnabled,
        scene=plugins.LifeSigns.isEnabled and plugins.LifeSigns.args.fixedCamera,
    )


def run(source: PartSource, index: int = 0, *, parent: int | None = None) -> None:
    """Run one worker until it is asked to stop.

    Raises:
        StartupError: models or settings do not allow a start.
    """
    name = f"worker-{index}"
    config = source.part.config
    set_up_process(name, source.part)
    start_threads()  # before pinning, so that they do not share the CPU of the estimation
    pin_to({cpu_of_worker(config.WORKERS.cpus, index)})
    cv2.setNumThreads(1)  # on one CPU, threads of OpenCV would only wait for each other
    backend = load_backend(config)

    make = partial(make_estimator, backend)
    warm_up(make(config))
    worker = Worker(source, name, make, backend.capabilities, parent=parent)
    signal.signal(signal.SIGTERM, worker.leave)
    signal.signal(signal.SIGINT, worker.leave)
    signal.signal(signal.SIGHUP, worker.reload)
    worker.run()
