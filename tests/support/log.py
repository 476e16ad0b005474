"""Log lines as they are in the service's log."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

from shared.process.process import JsonFormatter


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter("test"))
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@contextlib.contextmanager
def logged(name: str, level: int = logging.NOTSET) -> Iterator[list[dict[str, Any]]]:
    """Collect the lines of a logger and its children, from a level on."""
    log, handler = logging.getLogger(name), _Lines()
    before = log.level
    log.setLevel(level or before)
    log.addHandler(handler)
    try:
        yield handler.lines
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
