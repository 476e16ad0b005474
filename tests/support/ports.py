"""Ports that no other program takes while a test sets up the server that will listen there."""

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
"""Plugins of pytest seed the common source of chance: all processes would try the same ports."""


def free_port() -> int:
    """A port of the loopback that is free, and that no other test process is given meanwhile.

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
        except OSError:  # another program has it
            os.close(lock)
            continue
        return port
