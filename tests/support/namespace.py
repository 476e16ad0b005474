"""A small file system that only one command sees, in its own mount namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

import pytest


def private_tmpfs(folder: str, size: str) -> list[str]:
    """Return a command that mounts a tmpfs over a folder and executes the command that follows it.

    The test skips if that is not allowed.
    """
    if shutil.which("unshare") is None:
        pytest.skip("no unshare (util-linux)")
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *root, "--mount", "sh", "-c"]
    script = 'mount -t tmpfs -o size="$0" none "$1" && shift && exec "$@"'
    with tempfile.TemporaryDirectory() as probe:
        tried = subprocess.run([*command, script, size, probe, "true"], capture_output=True)
    if tried.returncode:
        pytest.skip("no private mounts allowed here")
    return [*command, script, size, folder]
