"""Files that are whole at every moment and stay after a power failure."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

UNFINISHED = ".new"
"""Ending of a file that is being written. One that outlived its process is garbage."""


def write_atomically(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file; at its path is either what was there before or all of the data.

    The unfinished file has the process's id in its name, so two processes may write one path.

    Args:
        path: of the file; its folder must exist.
        data: the content.
        mode: permissions, whatever the umask; None for those that the umask leaves.

    Raises:
        OSError: it cannot be written; what was at the path is still there.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(new, flags, mode or 0o666), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
        publish(new, path)
    except OSError:
        with contextlib.suppress(OSError):  # the same error, most likely
            new.unlink()
        raise


def publish(finished: Path, path: Path) -> None:
    """Give a finished file its final name.

    The content goes to the disk before the name does: in the other order, a power failure could
    leave an empty file under the name.

    Raises:
        OSError: it cannot be synchronised or renamed.
    """
    _synchronise(finished)
    finished.replace(path)
    _synchronise(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what a dead process left unfinished in a folder where no other process writes."""
    for file in folder.glob(f"*{UNFINISHED}"):
        file.unlink()


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
