"""Waiting for a condition; how long it takes depends more on the machine than on the code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

SECONDS = 150.0
"""Longest wait in seconds; a very busy machine may need most of it."""


def wait_for(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


async def until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until a condition holds, without blocking the event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)
