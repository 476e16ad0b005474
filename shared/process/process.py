"""What each role does at its start: title, log, crash traces; and its word to whoever watches it.

The words to the watcher are systemd's notify protocol (``READY=1``, ``WATCHDOG=1`` on the datagram
socket ``$NOTIFY_SOCKET``), spoken to systemd and to ``lunapass run`` alike.
"""

from __future__ import annotations

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

from setproctitle import setproctitle

from shared.config.service import Config
from shared.process.clock import SYSTEM, Clock

_ABOUT: ContextVar[dict[str, object]] = ContextVar("about")
LONGEST_TEXT = 4096
"""Characters of a message or traceback in the log; of a traceback the end says most."""
_PR_SET_DUMPABLE = 4  # of linux/prctl.h
_libc = CDLL(None, use_errno=True)
log = logging.getLogger(__name__)
LEVELS = {0: logging.ERROR, 1: logging.INFO, 2: logging.DEBUG}


class JsonFormatter(logging.Formatter):
    """One JSON object a line; control characters are escaped, so a line cannot be forged."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Write a record with the fields of ``about`` and of ``extra={"fields": {...}}``."""
        line: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "role": self._role,
            "message": record.getMessage()[:LONGEST_TEXT],
        }
        line.update(_ABOUT.get({}))
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-LONGEST_TEXT:]
        return json.dumps(line, default=str)


class about:  # a generator would cost each frame three calls more
    """Name what is at work in every line that is logged meanwhile, and by tasks begun meanwhile."""

    __slots__ = ("_fields", "_token")

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _ABOUT.set(self._fields)

    def __exit__(self, *_: object) -> None:
        _ABOUT.reset(self._token)


def begin(role: str, config: Config) -> None:
    """Begin as a role of the service."""
    begin_logging(role, config.LUNA_PASS.logLevel)


def begin_logging(role: str, level: int) -> None:
    """Name the process, write tracebacks of crashes, and log JSON lines to standard error.

    Args:
        role: name of the process.
        level: 0 logs errors, 1 adds information, 2 adds debugging.
    """
    setproctitle(f"lunapass {role}")
    faulthandler.enable()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(role))
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    for noisy in ("websockets", "asyncio", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def hide_memory() -> None:
    """Keep this process's memory from core files and from other processes of the same user.

    For a process that holds secrets: one that is taken over may run as the same user beside it.
    Root may still look.
    """
    if _libc.prctl(_PR_SET_DUMPABLE, 0) != 0:
        log.warning("this process's memory could not be hidden: %s", os.strerror(get_errno()))


def freeze_gc() -> None:
    """Exclude the objects made so far from garbage collection.

    Modules, models and settings live as long as the process; walking over them again and again
    costs pauses of tens of milliseconds in the middle of frames.
    """
    gc.collect()
    gc.freeze()


def return_memory() -> None:
    """Give freed memory back to the machine.

    The C library keeps freed blocks of up to 32 MB once it has seen such blocks come and go. It
    takes 8 ms for each 100 MB that goes back; other C libraries than glibc have no such call.
    """
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


class Notifier:
    """Speaks to the watcher named by ``$NOTIFY_SOCKET``; silent where there is none.

    Args:
        clock: times the beats.
    """

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._next_beat = 0.0

    def ready(self, status: str) -> None:
        """Say that the role does its work from now on."""
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Tell people how it goes."""
        self._say(f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is read again; ``ready`` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self) -> None:
        """Say that the role ends on purpose."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """Say nothing more."""
        self._address = ""
        self._socket.close()

    def beat(self) -> None:
        """Say, at most once a second, that the working loop still turns."""
        now = self._clock.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + 1.0
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if self._address:
            with contextlib.suppress(OSError):  # a watcher that is gone must not stop the work
                self._socket.sendto(text.encode(), self._address)
