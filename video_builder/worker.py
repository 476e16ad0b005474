"""The video worker: an RQ worker that can be killed at any moment without losing a job.

A running job has a lease, which its worker renews. Every worker checks the leases of all jobs; a
job whose lease has expired is retried.
"""

import logging
import signal
import time
from pathlib import Path

import cv2
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from shared.config.video import VideoConfig
from shared.errors import ResourceError, os_errors
from shared.process.process import Notifier, start_logging
from shared.redis_connection import connect
from shared.redis_needs import VIDEO_WORKER
from shared.redis_rights import describe, missing_rights
from video_builder import output
from video_builder.descent import die_with_this_process
from video_builder.job import Builder, VideoJob
from video_builder.memory import return_large_blocks
from video_builder.retention import StoredVideos
from video_builder.rq_adapter import MAX_WAIT_SECONDS, AdaptedWorker
from video_builder.task import Tasks

log = logging.getLogger(__name__)

PLACE = "[REDIS] connectionString"


class VideoWorker(AdaptedWorker):
    """An RQ worker whose intervals are derived from the configured lease.

    Raises:
        RedisError: Redis does not answer, or refuses this worker.
        ResourceError: the user of Redis lacks rights.
    """

    def __init__(self, builder: Builder, notifier: Notifier) -> None:
        self._notifier = notifier
        self._videos = StoredVideos(builder.config, clock=builder.clock)
        settings = builder.config.REDIS
        connection = connect(settings.connectionString)
        connection.ping()
        if missing := missing_rights(connection, VIDEO_WORKER):
            raise ResourceError(describe(PLACE, missing))
        jobs, lease = VideoJob.of(builder), builder.config.WORKER.leaseSeconds
        super().__init__(settings.queueNames, connection, jobs, lease)

    def on_ready(self) -> None:
        """Report that the worker is ready."""
        self._notifier.ready(f"worker {self.name}")
        log.info("ready", extra={"fields": {"queues": self.queue_names(), "worker": self.name}})

    def on_beat(self) -> None:
        """Report that the worker is running, and remove old videos."""
        self._notifier.beat()
        self._videos.maintain()

    def on_stopping(self) -> None:
        """Report that the worker stops after its job."""
        self._notifier.stopping()
        log.info("stopping after the current job")


def run(config: VideoConfig) -> None:
    """Work on jobs until SIGTERM or SIGINT; the current job is finished first.

    Raises:
        ConfigError: the task file or the address of Redis is invalid.
        ResourceError: the folder is not writable, or Redis refuses this worker.
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
        notifier.ready("waiting for Redis")  # an outage is no reason to restart this process
        notifier.beat()
        time.sleep(MAX_WAIT_SECONDS)


def _work(builder: Builder, notifier: Notifier) -> bool:
    """Work while Redis is available; return whether the worker was requested to stop."""
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
            log.error("connection to Redis lost", extra={"fields": {"why": str(error)}})
    worker.abandon()
    return worker.was_stopped


def _prepare_folder(folder: Path) -> None:
    """Create the folder of the videos and remove unfinished files."""
    advice = "give a folder that this user can write to"
    with os_errors(f"[VIDEO] directory: {folder} is not writable", advice):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    if swept := output.sweep(folder):
        log.info("unfinished files removed", extra={"fields": {"files": swept}})
