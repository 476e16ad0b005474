"""Ports that no other program takes before a test's server listens there."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 10_240, 32_767
"""Below the ports from which the system takes those of outgoing connections."""
LOCKS = Path(tempfile.gettempdir()) / f"lunapass-test-ports-{os.getuid()}"
_CHANCE = random.SystemRandom()
"""pytest plugins seed the global random generator, so all processes would try the same ports."""


def free_port() -> int:
    """Return a free port of the loopback that no other test process gets meanwhile.

    The lock is held until this process ends.
    """
    LOCKS.mkdir(exist_ok=True)
    while True:
        port = _CHANCE.randint(FIRST, LAST)
        lock = os.open(LOCKS / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:  # another program uses it
            os.close(lock)
            continue
        return port
