"""Keeps a worker's memory near what it needs.

glibc raises, with each large block that is freed, the size from which blocks are returned to the
system; frames of some megabytes then pile up in its heap. A threshold that is set stays.
"""

from __future__ import annotations

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3
THRESHOLD = 128 * 1024
"""Bytes; glibc's own first value."""


def return_large_blocks() -> None:
    """Have freed pictures returned to the system at once; with another libc, do nothing."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, THRESHOLD)
