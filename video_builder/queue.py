"""RQ's queue, made not to lose a job with the worker that took it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.timeouts import BaseDeathPenalty

from shared.process.clock import SYSTEM, Clock

LOOK_SECONDS = 0.5
"""Pause between two looks at several queues."""
LOCK_SECONDS = 30
"""After how long a lock counts as that of a dead worker."""


class VideoQueue(Queue):
    """A queue of which each job is moved, not popped, whether one or several are worked on.

    RQ moves a job to a second list only when a worker has one queue; with several, a job popped by
    a worker that dies at once would be gone.

    Attributes:
        clock: measures the wait; RQ makes the queues, so it is the class's.
    """

    clock: ClassVar[Clock] = SYSTEM

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
