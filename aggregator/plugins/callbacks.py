"""Callbacks: the final answer to a web address, signed, and repeated until it is taken."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import os
import random
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx

from aggregator.effects.events import Event, FrameJudged, SessionEnded
from aggregator.effects.spool import claim
from shared import __version__
from shared.clock import SYSTEM, Clock
from shared.config_plugins import CallbacksArgs

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
"""Seconds before the second try; doubled for each further one."""
LONGEST_PAUSE = 600.0
"""Greatest pause between two tries, in seconds."""
MOST_DOUBLINGS = 16
"""More lead beyond any pause; a thousand would lead beyond any number."""
MARKER_SECONDS = 7200.0
"""Time for which a delivered answer is remembered, so that a replay does not repeat it."""
TIDY_SECONDS = 60.0
"""Pause between two looks for what need not be remembered any more."""
IDLE_SECONDS = 1.0
"""Longest sleep of the courier."""


def body_of(ended: SessionEnded) -> bytes:
    """Body of the POST: the answer that the client got, with the session and the time."""
    answer = json.loads(ended.result)["body"]
    return json.dumps({"session": ended.info.session, "at": ended.at, **answer}).encode()


def signature(key: str, body: bytes) -> str:
    """Value of the header ``X-Signature``."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Pending:
    """An answer that waits.

    Attributes:
        file: where it is kept.
        size: its bytes.
        tries: tries so far, of this process.
        due: monotonic time of the next try.
    """

    file: Path
    size: int
    tries: int = 0
    due: float = 0.0


class Callbacks:
    """Sink of the plugin: keeps answers in files; a second thread delivers them.

    ``SESSION.json`` waits; ``SESSION.done`` (empty) is delivered or given up.

    Args:
        args: arguments of the plugin.
        clock: times the tries, and tells how old a marker is.

    Raises:
        StartupError: the queue's folder cannot be used.
    """

    name = "Callbacks"

    def __init__(self, args: CallbacksArgs, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._args = args
        self._folder, self._lock = claim(Path(args.queuePath))
        for torn in self._folder.glob("*.new"):
            torn.unlink()
        self._pending = {
            file.stem: Pending(file, file.stat().st_size) for file in self._folder.glob("*.json")
        }
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._tidied = float("-inf")
        self.dropped = 0
        self.disabled = False
        self._courier = threading.Thread(target=self._deliver, name="courier", daemon=True)
        self._courier.start()

    @property
    def waiting(self) -> int:
        """Bytes of the answers that wait."""
        with self._guard:
            return sum(pending.size for pending in self._pending.values())

    def write(self, event: Event) -> None:
        """Keep a session's answer until it is delivered."""
        if isinstance(event, FrameJudged):
            return
        session, body = event.info.session, body_of(event)
        file = self._folder / f"{session}.json"
        if file.exists() or file.with_suffix(".done").exists():
            return  # told again after a restart
        if self.waiting + len(body) > self._args.queueBytes:
            self._give_up(session, "the queue is full")
            return
        try:
            _write_whole(file, body)
        except OSError as error:
            self._give_up(session, f"it cannot be kept: {error.strerror}")
            return
        with self._guard:
            self._pending[session] = Pending(file, len(body))
        self._wake.set()

    def rest(self) -> None:
        """Forget what was delivered long ago."""
        if self._clock.monotonic() - self._tidied < TIDY_SECONDS:
            return
        self._tidied = self._clock.monotonic()
        oldest = self._clock.wall() - MARKER_SECONDS
        for marker in self._folder.glob("*.done"):
            with contextlib.suppress(OSError):
                if marker.stat().st_mtime < oldest:
                    marker.unlink()

    def close(self) -> None:
        """End the delivery; what waits stays for the next aggregator."""
        self._stopping = True
        self._wake.set()
        self._courier.join(self._args.timeout)
        os.close(self._lock)

    def _give_up(self, session: str, why: str) -> None:
        self.dropped += 1
        log.error("callback given up: %s", why, extra={"fields": {"session": session}})

    # The second thread

    def _deliver(self) -> None:
        with httpx.Client(timeout=self._args.timeout) as client:
            while not self._stopping:
                session, pending = self._next()
                if pending is None:
                    self._wake.wait(IDLE_SECONDS)
                    self._wake.clear()
                elif self._post(client, session, pending):
                    self._finish(session, pending)
                elif pending.tries > self._args.retries:
                    self._give_up(session, f"{pending.tries} tries")
                    self._finish(session, pending)

    def _next(self) -> tuple[str, Pending | None]:
        """The answer whose try is due since longest."""
        with self._guard:
            waiting = list(self._pending.items())
        session, pending = min(waiting, key=lambda item: item[1].due, default=("", None))
        if pending is None or pending.due > self._clock.monotonic():
            return "", None
        return session, pending

    def _post(self, client: httpx.Client, session: str, pending: Pending) -> bool:
        """Try once; an answer of 200 to 299 counts as taken."""
        try:
            body = pending.file.read_bytes()
            headers = self._headers(session, body)
            with client.stream("POST", self._args.url or "", content=body, headers=headers) as got:
                fault = "" if got.is_success else f"status {got.status_code}"
        except Exception as error:  # httpx raises more kinds, for a Location that is no address too
            fault = type(error).__name__
        self.disabled = bool(fault)
        if fault:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(pending.tries, MOST_DOUBLINGS))
            pending.due = self._clock.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311
            pending.tries += 1
            log.warning("callback not taken: %s", fault, extra={"fields": {"session": session}})
        return not fault

    def _headers(self, session: str, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"lunapass/{__version__}",
            "Idempotency-Key": session,
        }
        if self._args.key is not None:
            headers["X-Signature"] = signature(self._args.key.get_secret_value(), body)
        return headers

    def _finish(self, session: str, pending: Pending) -> None:
        """Leave a marker in place of the answer."""
        marker = pending.file.with_suffix(".done")
        try:
            pending.file.rename(marker)
            os.truncate(marker, 0)
        except OSError as error:
            told = {"session": session}
            log.error("callback done and kept: %s", error.strerror, extra={"fields": told})
        with self._guard:
            self._pending.pop(session, None)


def _write_whole(file: Path, data: bytes) -> None:
    new = file.with_suffix(".new")
    try:
        with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        new.rename(file)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
