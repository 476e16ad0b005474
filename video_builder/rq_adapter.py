"""All uses of RQ beyond its documented interface: a job, a queue and a worker with hooks.

RQ may change these parts in any release, so setup.cfg has an upper bound for it, and
tests/video_builder/test_rq_adapter.py checks each of them against the installed version.
"""

from __future__ import annotations

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
"""How often a lease is renewed before it runs out."""
SCHEDULER_SIGNALS = 5
"""Tries to end the scheduler before it is killed."""
SCHEDULER_SECONDS = 2.0
"""For the scheduler to end after a signal: it sleeps a second at a time."""
MAX_WAIT_SECONDS = 5.0
"""Seconds between two tries to reach Redis, at most."""
LOOK_SECONDS = 0.5
"""Pause between two looks at several queues."""
LOCK_SECONDS = 30
"""After how long a lock counts as that of a dead worker."""


class AdaptedJob(Job):
    """A job that runs what its subclass returns, and nothing that Redis names.

    RQ imports by name what a job tells it to run, before and after, and calls web addresses.
    """

    success_callback = failure_callback = stopped_callback = None

    def function(self) -> Callable[..., Any]:
        """Return what runs the job; the subclass's to define."""
        raise NotImplementedError

    def on_restored(self) -> None:
        """React after the job was read from Redis."""

    def limit(self, seconds: int, retry_pauses: list[int]) -> None:
        """Set how long the job may take, and the pauses before retries unless it is a retry."""
        self.timeout = seconds
        if self.retries_left is None and retry_pauses:
            self.retries_left = len(retry_pauses)
            self.retry_intervals = retry_pauses

    def give_up(self) -> None:
        """Have this try be the last."""
        self.retries_left = 0

    def forget_tries(self) -> None:
        """Have the next run be the first try."""
        self.connection.hdel(self.key, "retries_left")
        self.retries_left = None

    # Called by RQ

    @property
    def func(self) -> Callable[..., Any]:
        """Return what runs the job."""
        return self.function()

    def send_webhooks(self, *args: object, **kwargs: object) -> None:
        """Call no web address that a job names."""

    def restore(self, raw_data: Any) -> None:
        """Read the job from Redis."""
        super().restore(raw_data)
        self.on_restored()


class AdaptedQueue(Queue):
    """A queue of which each job is moved, not popped, whether one or several are worked on.

    RQ moves a job to a second list only when a worker has one queue; with several, a job popped by
    a worker that dies at once would be gone.

    Attributes:
        clock: measures the wait; RQ makes the queues, so it is the class's.
    """

    clock: ClassVar[Clock] = SYSTEM

    @property
    def living_workers(self) -> list[str]:
        """Names of the workers that live; a dead one's key runs out."""
        keys = worker_registration.get_keys(queue=self)
        prefix = Worker.redis_worker_namespace_prefix
        return sorted(key.removeprefix(prefix) for key in keys if self.connection.exists(key))

    # Called by RQ

    def acquire_maintenance_lock(self) -> bool:
        """Take the lock for tidying up; RQ's would outlive a killed worker by a quarter hour."""
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
            DequeueTimeout: there was none for ``timeout`` seconds.
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
    """A worker whose intervals follow from one lease.

    Args:
        queue_names: queues to work on, the first one first.
        connection: to Redis.
        job_class: its subclass of ``AdaptedJob``.
        lease: seconds for which a job is this worker's without a further sign of life.
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
        """React once the worker is registered."""

    def on_beat(self) -> None:
        """React to a turn of the worker's loop, or a renewal of its job's lease."""

    def on_stopping(self) -> None:
        """React when the worker is to end after its job."""

    @property
    def was_stopped(self) -> bool:
        """Whether the worker ended because it was asked to."""
        return self._shutdown_requested_date is not None

    def abandon(self) -> None:
        """End what RQ leaves behind where Redis is lost: a job's process, a thread that listens."""
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()
        if self.pubsub_thread:
            self.pubsub_thread.stop()

    # Called by RQ

    @property
    def dequeue_timeout(self) -> int:
        """Seconds to wait for a job before tidying up."""
        return self._lease // RENEWALS

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """Return the seconds of the lease."""
        return self._lease

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """Book a job as begun; whatever the number of queues, it stood in the second list."""
        super().prepare_job_execution(job, remove_from_intermediate_queue=True)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Register the worker."""
        super().bootstrap(*args, **kwargs)
        self.on_ready()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Give a sign of life; register again in a Redis that has forgotten this worker."""
        if not self.is_horse:
            self.on_beat()
            if pipeline is None and self.birth_date and not self.connection.exists(self.key):
                self.birth_date = None
                self.register_birth()  # type: ignore[no-untyped-call]
        super().heartbeat(timeout, pipeline)

    def maintain_heartbeats(self, job: Any, execution: Any) -> None:
        """Renew the lease; a Redis that is away must not end the job."""
        try:
            super().maintain_heartbeats(job, execution)
        except (RedisConnectionError, RedisTimeoutError) as error:
            log.warning("lease not renewed", extra={"fields": {"job": job.id, "why": str(error)}})

    def handle_warm_shutdown_request(self) -> None:
        """End after the job in work."""
        self.on_stopping()

    def stop_scheduler(self) -> None:
        """End the scheduler's process, which may lose a signal.

        RQ sends SIGTERM once and waits without end. A scheduler that was forked a moment ago still
        has this process's handler, and what that raises is lost in a hook that runs after a fork.
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
        # It is stuck, maybe on a lock that a thread held when it was forked. Its writes are atomic,
        # and its lock in Redis expires.
        process.kill()
        process.join()

    def procline(self, message: str) -> None:
        """Name the process."""
        setproctitle(f"lunapass video: {message}")
