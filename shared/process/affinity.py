"""CPU affinity: one CPU per worker, the rest for all other roles.

A role that shares a CPU with a worker answers milliseconds later, and an interrupted worker judges
fewer frames.
"""

import logging
import os
from collections.abc import Collection, Sequence

from shared.config.cells import USABLE, total_workers
from shared.config.service import Config

log = logging.getLogger(__name__)


def cpu_of_worker(cpus: Sequence[int], index: int, usable: Sequence[int] = USABLE) -> int:
    """Return a worker's CPU: the configured ones in turn, else from the last one down."""
    return cpus[index % len(cpus)] if cpus else usable[-1 - index % len(usable)]


def cpus_for_io(config: Config, usable: Sequence[int] = USABLE) -> set[int]:
    """Return the CPUs that no worker of this machine uses; all CPUs if workers use all."""
    workers = range(total_workers(config))
    taken = {cpu_of_worker(config.WORKERS.cpus, index, usable) for index in workers}
    return set(usable) - taken or set(usable)


def pin_to(cpus: Collection[int]) -> None:
    """Pin the calling thread, and the threads that it starts from now on, to some CPUs.

    Does nothing in a process that was started with a single CPU.
    """
    if len(USABLE) == 1:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        log.warning("cannot pin to CPUs %s: %s", sorted(cpus), error.strerror)
