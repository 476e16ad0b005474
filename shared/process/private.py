"""Folders that only this user may enter: for sockets, frames in memory, kept frames."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from shared.errors import ResourceError


def private_directory(path: Path, key: str, *, parents: bool = False) -> Path:
    """Make a folder of mode 0700, or make sure that an existing one is this user's own.

    In a folder that all may write to, such as /dev/shm, somebody else may have made it first, or
    a link in its place, so as to read or replace what is put into it.

    Args:
        path: the folder.
        key: of the configuration, to be named in errors.
        parents: make the folders above it too.

    Raises:
        ResourceError: it cannot be made, or is not a folder of this user.
    """
    try:
        path.mkdir(mode=0o700, parents=parents, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ResourceError(
                f"{path} belongs to user {found.st_uid} or is no folder; remove it or set {key}"
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise ResourceError(f"folder {path}: {error.strerror}; set {key}") from error
    return path
