"""Set-up of each role's process (title, log, crash traces, memory) and its notifier.

Roles report to systemd and to ``lunapass run`` by the same protocol, systemd's sd_notify:
``READY=1``, ``WATCHDOG=1`` on the datagram socket ``$NOTIFY_SOCKET``.
"""

import contextlib
import faulthandler
import gc
import json
import logging
import os
import socket
import sys
from contextvars import ContextVar
from ctypes import CDLL, get_errno
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from setproctitle import setproctitle

from shared.process.clock import SYSTEM, Clock
from shared.process.log_file import LogFile

_ABOUT: ContextVar[dict[str, object]] = ContextVar("about")
MAX_TEXT_CHARS = 4096
"""Longest message or traceback in the log. A traceback keeps its end, which says most."""
_PR_SET_DUMPABLE = 4  # of linux/prctl.h
_libc = CDLL(None, use_errno=True)
log = logging.getLogger(__name__)
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
"""Priority of syslog for each level; any other level is logged as information."""
LEVELS = {0: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}


class JsonFormatter(logging.Formatter):
    """One JSON object per line; control characters are escaped, so a line cannot be forged."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Write a record with the fields of ``about`` and of ``extra={"fields": {...}}``."""
        line: dict[str, object] = {
            "time": iso_time(record.created),
            "level": record.levelname.lower(),
            "role": self._role,
            "message": record.getMessage()[:MAX_TEXT_CHARS],
        }
        line.update(_ABOUT.get({}))
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-MAX_TEXT_CHARS:]
        return json.dumps(line, default=str)


class JournalFormatter(JsonFormatter):
    """The same with the priority in front, from which the journal removes it (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record with its priority of syslog."""
        return f"<{PRIORITIES.get(record.levelno, 6)}>{super().format(record)}"


def iso_time(seconds: float) -> str:
    """Return a Unix time in seconds as ISO 8601 in UTC, such as 2026-11-28T09:30:00.123Z."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def leads_to_journal(stream: TextIO) -> bool:
    """Return whether systemd connected a stream to the journal (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or that is closed
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class about:  # contextlib.contextmanager would cost each frame three more calls
    """Add fields to every line logged within the block, and by tasks started within it."""

    __slots__ = ("_fields", "_token")

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _ABOUT.set(self._fields)

    def __exit__(self, *_: object) -> None:
        _ABOUT.reset(self._token)


def start_logging(role: str, level: int, file: str = "") -> None:
    """Name the process, write tracebacks of crashes, and log JSON lines to standard error.

    Level 0 logs errors, 1 adds information, 2 adds debugging. A file gets a copy of each line.

    Raises:
        ResourceError: the file cannot be opened.
    """
    setproctitle(f"lunapass {role}")
    faulthandler.enable()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    formatter = JournalFormatter if leads_to_journal(sys.stderr) else JsonFormatter
    handlers[0].setFormatter(formatter(role))
    if file:
        handlers.append(LogFile(Path(file)))
        handlers[1].setFormatter(JsonFormatter(role))
    logging.basicConfig(level=LEVELS[level], handlers=handlers, force=True)
    for noisy in ("websockets", "asyncio", "httpx", "httpcore", "PIL"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def hide_memory() -> None:
    """Protect this process's memory from core dumps and from other processes of the same user.

    For a process that holds secrets: a compromised process may run as the same user. Root can still
    read the memory.
    """
    if _libc.prctl(_PR_SET_DUMPABLE, 0) != 0:
        log.warning("cannot protect the memory of this process: %s", os.strerror(get_errno()))


def freeze_gc() -> None:
    """Exclude the objects made so far from garbage collection.

    Modules, models and settings live as long as the process; traversing them in each collection
    causes pauses of tens of milliseconds in the middle of frames.
    """
    gc.collect()
    gc.freeze()


def return_memory() -> None:
    """Return freed memory to the kernel.

    glibc retains freed blocks of up to 32 MB once it has allocated and freed such blocks. The call
    takes 8 ms for each 100 MB returned. Other C libraries do not have it.
    """
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


class Notifier:
    """Reports to the supervisor or systemd at ``$NOTIFY_SOCKET``; without one it does nothing."""

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._next_beat = 0.0

    def ready(self, status: str) -> None:
        """Report that the role has started or reloaded."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Report a status line for operators."""
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """Report the start of a reload; ``ready`` reports its end."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self) -> None:
        """Report an intended shutdown."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Stop reporting."""
        self._address = ""
        self._socket.close()

    def beat(self) -> None:
        """Report, at most once a second, that the main loop is running."""
        now = self._clock.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + 1.0
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._address:
            with contextlib.suppress(OSError):  # the role works on without its supervisor
                self._socket.sendto(text.encode(), self._address)
