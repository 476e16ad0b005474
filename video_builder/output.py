"""Files that are there whole or not at all.

What is not finished has a name of its own, ``.SESSION.mp4.part``, the same at every try, and is
locked while it is written. So a second builder of the same session waits its turn to fail instead
of mixing its bytes in, a try after a death takes the same name over, and what nobody will try again
can be told from what is being written and be swept away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from shared.process.files import publish
from video_builder.errors import BusyError

PART = ".part"
SESSION = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What a session id may be, so that it is safe as the name of a file."""


def part_of(path: Path) -> Path:
    """Return the name of a file while it is not finished."""
    return path.with_name(f".{path.name}{PART}")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a name to write to; when the block ends well, the file appears at ``path``, durably.

    Raises:
        BusyError: another process writes the same file.
    """
    part = part_of(path)
    descriptor = _locked(part)
    try:
        yield part
        publish(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def sweep(directory: Path) -> int:
    """Remove what was left half written by a death; return how many files that were.

    What is not this user's to remove stays.
    """
    swept = 0
    for part in directory.glob(f".*{PART}"):
        with contextlib.suppress(BusyError, OSError):
            descriptor = _locked(part, create=False)
            part.unlink()
            os.close(descriptor)
            swept += 1
    return swept


def sha256(path: Path) -> str:
    """Return the digest of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locked(part: Path, *, create: bool = True) -> int:
    """Open a file for this process alone.

    A sweep may remove the file between opening and locking it; then the lock is worth nothing and
    is taken anew.
    """
    while True:
        descriptor = os.open(part, os.O_RDWR | (os.O_CREAT if create else 0), 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, part):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise BusyError(f"{part.name} is being written by another process") from error
        os.close(descriptor)


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
