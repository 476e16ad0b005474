"""A client cannot make the WebSocket library fill the log."""

from __future__ import annotations

import logging

from gateway.web.library_log import LINES, LibraryLog
from shared.process.clock import Clock
from tests.support.log import logged


def test_the_library_cannot_fill_the_log() -> None:
    """Of 1000 tracebacks a second 10 are logged; the next line has the number of skipped ones."""
    now = 1e9
    name = "tests.library_log"
    library = logging.getLogger(name)
    bound = LibraryLog(clock=Clock(monotonic=lambda: now))
    library.addFilter(bound)
    try:
        with logged(name, logging.ERROR) as lines:
            for _ in range(1000):
                library.error("unexpected internal error")
            now += 60
            library.error("unexpected internal error")
    finally:
        library.removeFilter(bound)
    assert [line["unlogged"] for line in lines] == [0] * LINES + [1000 - LINES]
