"""The video worker: an RQ worker that may be killed at any moment without losing a job.

A job that is worked on has a lease, renewed while its worker lives. Every worker looks after the
leases of all; a job whose lease has run out is tried again.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from pathlib import Path
from typing import Any

import cv2
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Worker
from rq.serializers import JSONSerializer
from setproctitle import setproctitle

from shared.config.video import VideoConfig
from shared.errors import ResourceError
from shared.process.process import Notifier, start_logging
from shared.redis_connection import connect
from shared.redis_needs import VIDEO_WORKER
from shared.redis_rights import fault, missing_rights
from video_builder import output
from video_builder.descent import die_with_this_process
from video_builder.job import Builder, VideoJob
from video_builder.memory import return_large_blocks
from video_builder.queue import VideoQueue
from video_builder.task import Tasks

log = logging.getLogger(__name__)

RENEWALS = 3
"""How often a lease is renewed before it runs out."""
SCHEDULER_SIGNALS = 5
"""Tries to end the scheduler before it is killed."""
SCHEDULER_SECONDS = 2.0
"""For the scheduler to end after a signal: it sleeps a second at a time."""
PLACE = "[REDIS] connectionString"
LONGEST_WAIT = 5.0
"""Seconds between two tries to reach Redis, at most."""


class VideoWorker(Worker):
    """An RQ worker whose intervals follow from the lease.

    Args:
        builder: what runs the jobs.
        notifier: hears that the worker is ready and that its loop turns.

    Raises:
        RedisError: Redis does not answer, or refuses this worker.
        ResourceError: the user of Redis lacks rights.
    """

    queue_class = VideoQueue
    max_connection_wait_time = LONGEST_WAIT

    def __init__(self, builder: Builder, notifier: Notifier) -> None:
        config = builder.config
        self._lease = config.WORKER.leaseSeconds
        self._notifier = notifier
        interval = self._lease // RENEWALS
        connection = connect(config.REDIS.connectionString)
        connection.ping()
        if missing := missing_rights(connection, VIDEO_WORKER):
            raise ResourceError(fault(PLACE, missing))
        super().__init__(
            config.REDIS.queueNames,
            connection=connection,
            job_class=VideoJob.of(builder),
            serializer=JSONSerializer,
            worker_ttl=self._lease,
            maintenance_interval=interval,
            job_monitoring_interval=interval,
            log_job_description=False,
        )

    @property
    def was_stopped(self) -> bool:
        """Tell whether the worker ended because it was asked to."""
        return self._shutdown_requested_date is not None

    @property
    def dequeue_timeout(self) -> int:
        """Seconds to wait for a job before tidying up."""
        return self._lease // RENEWALS

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """Return the seconds for which a job is this worker's without a further sign of life."""
        return self._lease

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """Book a job as begun; whatever the number of queues, it stood in the second list."""
        super().prepare_job_execution(job, remove_from_intermediate_queue=True)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Register, then say that the worker is ready."""
        super().bootstrap(*args, **kwargs)
        self._notifier.ready(f"worker {self.name}")
        log.info("ready", extra={"fields": {"queues": self.queue_names(), "worker": self.name}})

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Give a sign of life; register anew in a Redis that has forgotten this worker."""
        if not self.is_horse:
            self._notifier.beat()
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
        """Say that the worker ends after its job."""
        self._notifier.stopping()
        log.info("stopping after the job in work")

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

    def abandon(self) -> None:
        """End what RQ leaves behind where Redis is lost: a job's process, a thread that listens."""
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()
        if self.pubsub_thread:
            self.pubsub_thread.stop()

    def procline(self, message: str) -> None:
        """Name the process."""
        setproctitle(f"lunapass video: {message}")


def run(config: VideoConfig) -> None:
    """Work on jobs until SIGTERM or SIGINT; a job in work is finished first.

    Raises:
        ConfigError: the task file or the address of Redis is wrong.
        ResourceError: the folder cannot be written, or Redis refuses this worker.
    """
    start_logging("video", config.WORKER.logLevel)
    if config.WORKER.logLevel < 2:
        logging.getLogger("rq").setLevel(logging.WARNING)
        logging.getLogger("rq.worker").setLevel(logging.WARNING)
    cv2.setNumThreads(1)
    return_large_blocks()
    builder = Builder(config, Tasks(Path(config.WORKER.task)))
    _prepare_folder(Path(config.VIDEO.directory))
    die_with_this_process()
    notifier = Notifier()
    while not _work(builder, notifier):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        notifier.ready("waits for Redis")  # whoever watches has no cause to end this process
        notifier.beat()
        time.sleep(LONGEST_WAIT)


def _work(builder: Builder, notifier: Notifier) -> bool:
    """Work as long as Redis is there; return whether the worker is to end."""
    try:
        worker = VideoWorker(builder, notifier)
    except (AuthenticationError, ResponseError) as error:
        raise ResourceError(
            f"{PLACE}: Redis refuses this worker: {error}; correct the address, user or password"
        ) from error
    except RedisError as error:
        log.error("Redis cannot be reached", extra={"fields": {"why": str(error)}})
        return False
    try:
        worker.work(with_scheduler=True)
    except RedisError as error:
        if not worker.was_stopped:
            log.error("Redis is lost", extra={"fields": {"why": str(error)}})
    worker.abandon()
    return worker.was_stopped


def _prepare_folder(folder: Path) -> None:
    """Make the folder of the videos and remove what was left half written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ResourceError(
            f"[VIDEO] directory: {folder} cannot be written: {error.strerror}; give a folder of "
            "this user's"
        ) from error
    if swept := output.sweep(folder):
        log.info("removed half written files", extra={"fields": {"files": swept}})
