"""Lets no child outlive the worker, be it killed ever so suddenly.

RQ forks a process for each job and one for its scheduler. Orphaned, the one would go on with a job
that another worker has been given, the other would keep the scheduler's lock for good.
"""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with_this_process() -> None:
    """Have the kernel kill what this process forks from now on as soon as this process ends.

    Children's own children are not concerned: a user's task may start what it likes.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    worker = os.getpid()
    forking = 0

    def note() -> None:
        nonlocal forking
        forking = os.getpid()

    def follow() -> None:
        if forking == worker:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != worker:  # it died in between
                os._exit(1)

    os.register_at_fork(before=note, after_in_child=follow)
