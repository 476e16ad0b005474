"""All uses of RQ beyond its documented interface: a job, a queue and a worker with hooks.

RQ may change these internals in any release, so setup.cfg has an upper version bound, and
tests/video_builder/test_rq_adapter.py checks each use against the installed version.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, Worker, worker_registration
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from setproctitle import setproctitle

from shared.process.clock import SYSTEM, Clock

log = logging.getLogger(__name__)

RENEWALS = 3
"""Number of renewals of a lease before it expires."""
SCHEDULER_SIGNALS = 5
"""Number of SIGTERMs to the scheduler before it is killed."""
SCHEDULER_SECONDS = 2.0
"""Time for the scheduler to stop after a signal: it sleeps a second at a time."""
MAX_WAIT_SECONDS = 5.0
"""Maximum pause between two attempts to reach Redis."""
LOOK_SECONDS = 0.5
"""Pause between two polls of several queues."""
LOCK_SECONDS = 30
"""Expiry of a lock, in case its worker dies."""


class AdaptedJob(Job):
    """A job that runs only the function of its subclass, and nothing that Redis names.

    RQ on its own imports and runs the functions and callbacks that a job names, and calls its
    webhooks.
    """

    success_callback = failure_callback = stopped_callback = None

    def function(self) -> Callable[..., Any]:
        """Return the function that runs the job; the subclass defines it."""
        raise NotImplementedError

    def on_restored(self) -> None:
        """React after the job was read from Redis."""

    def limit(self, seconds: int, retry_pauses: list[int]) -> None:
        """Set the job's time-out and, unless this is a retry, the pauses before retries."""
        self.timeout = seconds
        if self.retries_left is None and retry_pauses:
            self.retries_left = len(retry_pauses)
            self.retry_intervals = retry_pauses

    def give_up(self) -> None:
        """Make this attempt the last."""
        self.retries_left = 0

    def reset_attempts(self) -> None:
        """Make the next run the first attempt."""
        self.connection.hdel(self.key, "retries_left")
        self.retries_left = None

    # Called by RQ

    @property
    def func(self) -> Callable[..., Any]:
        """Return the function that runs the job."""
        return self.function()

    def send_webhooks(self, *args: object, **kwargs: object) -> None:
        """Send no webhooks."""

    def restore(self, raw_data: Any) -> None:
        """Read the job from Redis."""
        super().restore(raw_data)
        self.on_restored()


class AdaptedQueue(Queue):
    """A queue whose jobs are moved to an intermediate list, even if a worker has several queues.

    With several queues RQ pops the job; if the worker died then, the job would be lost. The clock
    is a class attribute, since RQ makes the queues.
    """

    clock: ClassVar[Clock] = SYSTEM

    @property
    def living_workers(self) -> list[str]:
        """Names of the live workers; the key of a dead worker expires."""
        keys = worker_registration.get_keys(queue=self)
        prefix = Worker.redis_worker_namespace_prefix
        return sorted(key.removeprefix(prefix) for key in keys if self.connection.exists(key))

    # Called by RQ

    def acquire_maintenance_lock(self) -> bool:
        """Take the maintenance lock; RQ's own would outlive a killed worker by 15 minutes."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=LOCK_SECONDS))

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: Redis,
        job_class: type[Job] | None = None,
        serializer: Any = None,
        death_penalty_class: type[BaseDeathPenalty] | None = None,
    ) -> tuple[Job, Queue] | None:
        """Take the first job of the first queue that has one.

        Raises:
            DequeueTimeout: there was no job for ``timeout`` seconds.
        """
        queues = list(queues)
        classes = job_class, serializer, death_penalty_class
        if len(queues) == 1:
            return super().dequeue_any(queues, timeout, connection, *classes)
        deadline = cls.clock.monotonic() + (timeout or 0)
        while True:
            for queue in queues:
                found = super().dequeue_any([queue], None, connection, *classes)
                if found is not None:
                    return found
            if timeout is None:
                return None
            if cls.clock.monotonic() >= deadline:
                raise DequeueTimeout(timeout, [queue.key for queue in queues])
            time.sleep(LOOK_SECONDS)


class AdaptedWorker(Worker):
    """A worker whose intervals are derived from one lease.

    Args:
        queue_names: queues to work on, in order of priority.
        lease: seconds for which a job belongs to this worker without a heartbeat.
    """

    queue_class = AdaptedQueue
    max_connection_wait_time = MAX_WAIT_SECONDS

    def __init__(
        self,
        queue_names: Sequence[str],
        connection: Redis,
        job_class: type[AdaptedJob],
        lease: int,
    ) -> None:
        self._lease = lease
        super().__init__(
            queue_names,
            connection=connection,
            job_class=job_class,
            serializer=JSONSerializer,
            worker_ttl=lease,
            maintenance_interval=lease // RENEWALS,
            job_monitoring_interval=lease // RENEWALS,
            log_job_description=False,
        )

    def on_ready(self) -> None:
        """React once the worker is registered and handles signals."""

    def on_beat(self) -> None:
        """React to an iteration of the worker's loop, or a renewal of its job's lease."""

    def on_stopping(self) -> None:
        """React to a request to stop after the current job."""

    @property
    def was_stopped(self) -> bool:
        """Whether the worker was requested to stop."""
        return self._shutdown_requested_date is not None

    def abandon(self) -> None:
        """End what RQ leaves running after the loss of Redis: a job's process, a pubsub thread."""
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()
        if self.pubsub_thread:
            self.pubsub_thread.stop()

    # Called by RQ

    @property
    def dequeue_timeout(self) -> int:
        """Seconds to wait for a job before maintenance."""
        return self._lease // RENEWALS

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """Return the seconds of the lease."""
        return self._lease

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """Mark a job as started; it is in the intermediate list even with several queues."""
        super().prepare_job_execution(job, remove_from_intermediate_queue=True)

    def _install_signal_handlers(self) -> None:
        """Handle signals, the last step of the start.

        A signal before it kills the worker, so the worker may not be reported as ready earlier.
        """
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        self.on_ready()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Send a heartbeat; register again if Redis has lost this worker."""
        if not self.is_horse:
            self.on_beat()
            if pipeline is None and self.birth_date and not self.connection.exists(self.key):
                self.birth_date = None
                self.register_birth()  # type: ignore[no-untyped-call]
        super().heartbeat(timeout, pipeline)

    def maintain_heartbeats(self, job: Any, execution: Any) -> None:
        """Renew the lease; an outage of Redis must not end the job."""
        try:
            super().maintain_heartbeats(job, execution)
        except (RedisConnectionError, RedisTimeoutError) as error:
            log.warning("lease not renewed", extra={"fields": {"job": job.id, "why": str(error)}})

    def handle_warm_shutdown_request(self) -> None:
        """Stop after the current job."""
        self.on_stopping()

    def stop_scheduler(self) -> None:
        """Stop the scheduler's process, which may lose a signal.

        RQ sends SIGTERM once and waits forever. A scheduler that was just forked still has this
        process's signal handler, and its exception is lost in a hook that runs after the fork.
        """
        process = self.scheduler._process if self.scheduler else None
        if process is None or process is multiprocessing.current_process():
            super().stop_scheduler()  # type: ignore[no-untyped-call]
            return
        for _ in range(SCHEDULER_SIGNALS):
            process.terminate()
            process.join(SCHEDULER_SECONDS)
            if not process.is_alive():
                return
        # It is stuck, maybe on a lock that a thread held at the fork. Its writes are atomic, and
        # its lock in Redis expires, so it can be killed.
        process.kill()
        process.join()

    def procline(self, message: str) -> None:
        """Set the title of the process."""
        setproctitle(f"lunapass video: {message}")
