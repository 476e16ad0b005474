"""Atomic, durable writes of files."""

import contextlib
import os
from pathlib import Path

UNFINISHED = ".new"
"""Suffix of a file that is being written. It is garbage once its process has ended."""


def write_atomically(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file: its path has either the old content or all of the new.

    The name of the unfinished file contains the process id, so two processes may write one path.
    The folder must exist. The file has the permissions ``mode``, or without one those of the umask.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
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
        with contextlib.suppress(OSError):  # most likely the same error again
            new.unlink()
        raise


def publish(finished: Path, path: Path) -> None:
    """Give a finished file its final name.

    The content is synchronised before the rename: in the other order, a power failure could leave
    an empty file at the final path.

    Raises:
        OSError: it cannot be synchronised or renamed.
    """
    synchronise(finished)
    finished.replace(path)
    synchronise(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of dead processes; no other process may write to the folder."""
    for file in folder.glob(f"*{UNFINISHED}"):
        file.unlink()


def synchronise(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk.

    Raises:
        OSError: they are not.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
