"""Kills the worker's child processes when the worker dies.

RQ forks a process for each job and one for its scheduler. An orphaned job process would continue a
job that another worker has taken over; an orphaned scheduler would hold the scheduler's lock
forever.
"""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with_this_process() -> None:
    """Have the kernel kill the processes that this process forks from now on when it ends.

    Grandchildren are not affected: a user's task may start any process.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    worker = os.getpid()
    forking = 0

    def record_parent() -> None:
        nonlocal forking
        forking = os.getpid()

    def follow_parent() -> None:
        if forking == worker:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != worker:  # it died before prctl
                os._exit(1)

    os.register_at_fork(before=record_parent, after_in_child=follow_parent)
