"""Limits the memory that glibc retains.

When a large block is freed, glibc raises the size from which freed blocks are returned to the
kernel, so frames of some megabytes pile up in its heap. An explicit threshold stays fixed.
"""

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3
THRESHOLD = 128 * 1024
"""Bytes; glibc's initial value."""


def return_large_blocks() -> None:
    """Have freed images returned to the kernel at once; without glibc, do nothing."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, THRESHOLD)
