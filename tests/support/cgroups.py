"""A control group for a test, if this machine lets the test create one."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.process.cgroups import ControlGroups


@contextlib.contextmanager
def control_group(controller: str, **bounds: object) -> Iterator[list[str]]:
    """Create a group below this process's own, of a version 1 controller, with these limits.

    Yields:
        A command that enters the group and then executes the command that follows it.
    """
    parent = next(ControlGroups()._folders(controller), None)
    if parent is None or not os.access(parent, os.W_OK):
        pytest.skip(f"no control groups of {controller} (version 1) that this test may write")
    folder = Path(parent) / f"lunapass-test-{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    try:
        for name, value in bounds.items():
            (folder / f"{controller}.{name}").write_text(f"{value}\n")
        yield ["sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"]
    finally:
        folder.rmdir()
