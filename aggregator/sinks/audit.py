"""Audit: one record of each session in a chain, whose head is signed every minute."""

import hashlib
import json
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from aggregator.sinks.audit_trail import AuditTrail
from aggregator.sinks.events import Event, FrameJudged, SessionEnded
from aggregator.sinks.spool import claim
from shared.config.plugins import AuditArgs
from shared.process.clock import SYSTEM, Clock
from shared.process.outage import Outage
from shared.signing import Signer

log = logging.getLogger(__name__)

HEAD_SECONDS = 60.0
RETRY_SECONDS = 1.0
MAX_WAITING = 10_000
"""Records kept in memory while they cannot be written, some 2 kB each; further ones are lost."""
KNOWN_SESSIONS = 10_000
"""Sessions remembered, so that a repeated event writes no second record."""
LOGGED_SESSIONS = 100
"""Sessions without a record that are named in the log at the end."""
PURPOSE = "lunapass audit head"
"""Claim ``purpose`` of a signed head: no other token of the key has it."""


def session_record(event: SessionEnded) -> dict[str, Any]:
    """Return what the audit states about a session: digests and codes, no image."""
    info, jwt = event.info, json.loads(event.result)["body"]["jwt"]
    policy = event.policy or {}
    return {
        "session": info.session,
        "opened": info.at,
        "ended": event.at,
        "opener": info.opener,
        "start": dict(info.start),
        "accepted": event.accepted,
        "errors": list(event.errors),
        "policy": {name: policy[name] for name in ("digest", "rules", "models") if name in policy},
        "frames": [[seq, pixels.hex()] for seq, pixels in event.pixels],
        "bestSeq": event.best_seq,
        "bestshotSource": event.best_shot.source.claim() if event.best_shot else None,
        "token": hashlib.sha256(jwt.encode()).hexdigest() if jwt else None,
    }


def head_claims(seq: int, head: str, at: float, *, closed: bool) -> dict[str, Any]:
    """Return the claims of a signed head: the number and digest of the record before it."""
    return {"purpose": PURPOSE, "seq": seq, "head": head, "iat": int(at), "closed": closed}


class Audit:
    """Sink of the plugin.

    Records that cannot be written, such as on a full disk, wait in bounded memory.

    Raises:
        ResourceError: the folder cannot be created or written.
    """

    name = "Audit"

    def __init__(self, args: AuditArgs, signer: Signer, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._signer = signer
        self._path = Path(args.path)
        folder, self._lock = claim(self._path)
        self._trail = AuditTrail(folder, args.maxBytes, clock=clock)
        known = [r["session"] for r in self._trail.last_records() if r["event"] == "session"]
        self._known = deque(known, maxlen=KNOWN_SESSIONS)
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._lost = 0
        self._headed_at = float("-inf")
        self._retry_at = float("-inf")
        self._outage = Outage(
            log, "AUDIT RECORDS CANNOT BE WRITTEN", "audit records can be written again"
        )
        self.dropped = 0

    @property
    def disabled(self) -> bool:
        """Whether the last write failed."""
        return self._outage.ongoing

    @property
    def waiting(self) -> int:
        """Bytes of the records in memory, about."""
        return 2000 * len(self._waiting)

    def write(self, event: Event) -> None:
        """Record a session's end, once."""
        if isinstance(event, FrameJudged) or event.info.session in self._known:
            return
        self._known.append(event.info.session)
        self.add("session", session_record(event))

    def add(self, event: str, fields: dict[str, Any]) -> None:
        """Add a record; write it if the last write did not just fail."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((event, fields))
        else:
            self._lost += 1
            self.dropped += 1
        if self._clock.monotonic() >= self._retry_at:
            self._flush()

    def maintain(self) -> None:
        """Write what waits, and every minute a signed head."""
        due = self._clock.monotonic() - self._headed_at >= HEAD_SECONDS
        if self._clock.monotonic() >= self._retry_at:
            self._flush(head=due or self.disabled)  # a failed write is repeated until it works

    def close(self) -> None:
        """Write what waits and a last head, and release the folder for another process.

        What cannot be written now is lost, and logged, because no file shows the gap.
        """
        self._flush(head=True, closed=True)
        if unwritten := self._lost + len(self._waiting):
            self.dropped += len(self._waiting)
            sessions = [fields.get("session") for _, fields in self._waiting]
            log.error(
                "%d AUDIT RECORDS LOST: they could not be written before the end",
                unwritten,
                extra={"fields": {"sessions": sessions[:LOGGED_SESSIONS]}},
            )
        self._trail.close()
        os.close(self._lock)

    def _flush(self, *, head: bool = False, closed: bool = False) -> None:
        if not (head or self._waiting or self._lost):
            return
        try:
            self._write_waiting()
            if head:
                self._write_head(closed=closed)
        except OSError as error:
            self._retry_at = self._clock.monotonic() + RETRY_SECONDS
            self._outage.failed(
                f"{error.strerror} ({self._path}); {len(self._waiting)} records waiting"
            )
        else:
            self._outage.worked()

    def _write_waiting(self) -> None:
        while self._waiting:
            self._trail.append(*self._waiting[0])
            self._waiting.popleft()
        if self._lost:
            self._trail.append("lost", {"records": self._lost})
            self._lost = 0

    def _write_head(self, *, closed: bool) -> None:
        """Append a signed head, and log it: a copy elsewhere shows that the files were cut."""
        self._trail.open()
        seq, head, now = self._trail.seq, self._trail.head, self._clock.wall()
        signed = self._signer.sign(head_claims(seq, head, now, closed=closed))
        self._trail.append("head", {"jws": signed})
        self._headed_at = self._clock.monotonic()
        log.info("audit head", extra={"fields": {"jws": signed}})
