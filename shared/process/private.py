"""Folders that only this user may enter: for sockets, shared memory and stored frames."""

import os
import stat
from pathlib import Path

from shared.errors import ResourceError, os_errors


def private_directory(path: Path, key: str, *, parents: bool = False) -> Path:
    """Create a folder of mode 0700, or check that an existing one belongs to this user.

    In a world-writable folder such as /dev/shm, another user may have created it first, or a link
    in its place, to read or replace its content. Errors name the configuration's key.

    Raises:
        ResourceError: it cannot be created, or is not a folder of this user.
    """
    with os_errors(f"folder {path}", f"set {key}"):
        path.mkdir(mode=0o700, parents=parents, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ResourceError(
                f"{path} belongs to user {found.st_uid} or is not a folder; remove it or set {key}"
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    return path
