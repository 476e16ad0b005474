"""Searches the memory of a running process for a secret, as an attacker in it could."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import cast

import pytest

CHUNK = 1 << 20
UNREADABLE = (errno.EIO, errno.EFAULT, errno.ENXIO)
"""Raised for a mapping without memory behind it, such as that of a device or a truncated file."""


def found_in(pid: int, secrets: Iterable[bytes]) -> set[bytes]:
    """Return those of the secrets that are anywhere in a process's readable memory.

    The test skips if the system does not let this user read it.
    """
    wanted = set(secrets)
    overlap = max(map(len, wanted)) - 1
    found: set[bytes] = set()
    tail, end = b"", 0
    for start, chunk in _memory(pid):
        text = tail + chunk if start == end else chunk
        found |= {secret for secret in wanted if secret in text}
        tail, end = text[-overlap:], start + len(chunk)
    return found


def shown_of(pid: int, name: str) -> bytes:
    """Return a file of a process in /proc, such as ``environ``; skip like ``found_in``."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except PermissionError:
        pytest.skip("this system hides processes of the same user; run it as root")


def _memory(pid: int) -> Iterator[tuple[int, bytes]]:
    """Yield addresses and bytes of all readable memory."""
    maps = shown_of(pid, "maps").decode().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            first, last = (int(address, 16) for address in span.split("-"))
            if rights.startswith("r") and last < 1 << 63:  # the kernel's own page is above
                yield from _mapping(cast(RawIOBase, memory), first, last)


def _mapping(memory: RawIOBase, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    for start in range(first, last, CHUNK):
        try:
            memory.seek(start)
            yield start, memory.read(min(CHUNK, last - start)) or b""
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            return
