"""Lets root write files that belong to the owner of the folder they lie in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_owner_of(folder: Path) -> Iterator[None]:
    """If this process is root, act as a folder's owner, so that they can write the new files.

    Raises:
        OSError: the folder does not exist or cannot be examined.
    """
    owner, group = folder.stat(), os.getegid()
    if os.geteuid() != 0:
        yield
        return
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
