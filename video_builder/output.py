"""Output files that appear atomically.

An unfinished file is named ``.SESSION.mp4.part`` in every attempt and is locked while it is
written. So a second builder of the same session fails instead of mixing in its bytes, a retry after
a crash reuses the name, and abandoned files, which are not locked, can be removed.
"""

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
"""Session ids that are safe as file names."""


def part_of(path: Path) -> Path:
    """Return the path of a file while it is unfinished."""
    return path.with_name(f".{path.name}{PART}")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield the path to write to; if the block succeeds, the file appears durably at ``path``.

    Raises:
        BusyError: another process is writing the same file.
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
    """Remove the unfinished files of dead workers; return their number.

    Files that this user may not remove stay.
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
    """Open and lock a file.

    A sweep may remove the file between the two steps; then the lock is useless, and both steps are
    repeated.
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
