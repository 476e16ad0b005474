"""Who has which processor: workers one each, the other roles what is left.

A role that waits behind a worker's estimation on the same processor answers milliseconds later,
and a worker that is interrupted judges fewer frames.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence

from shared.config.cells import USABLE, total_workers
from shared.config.service import Config

log = logging.getLogger(__name__)


def of_worker(cpus: Sequence[int], index: int, usable: Sequence[int] = USABLE) -> int:
    """Tell a worker's processor: the configured ones in turn, else from the last one down."""
    return cpus[index % len(cpus)] if cpus else usable[-1 - index % len(usable)]


def of_others(config: Config, usable: Sequence[int] = USABLE) -> set[int]:
    """Tell the processors that no worker of this machine has; all where workers have them all."""
    workers = range(total_workers(config))
    taken = {of_worker(config.WORKERS.cpus, index, usable) for index in workers}
    return set(usable) - taken or set(usable)


def keep_to(cpus: Collection[int]) -> None:
    """Keep the calling thread, and those that it starts from now on, to some processors.

    A process that was given a single one stays there: whoever started it has chosen.
    """
    if len(USABLE) == 1:
        return
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        log.warning("cannot keep to processors %s: %s", sorted(cpus), error.strerror)
