"""Frames whose side effects are not done yet, kept for the aggregator's successor."""

from __future__ import annotations

from gateway import metrics
from gateway.session import Session


class Unsettled:
    """Keeps the encoded frames that a side-effect plugin may still need after a restart.

    Args:
        wanted: whether any plugin needs frames.
        capacity: bytes of all sessions together; a frame over that is not kept, and is counted.
    """

    def __init__(self, *, wanted: bool, capacity: int) -> None:
        self._wanted = wanted
        self._capacity = capacity
        self.bytes = 0

    def keep(self, session: Session, seq: int, data: bytes) -> None:
        """Keep a frame that has its verdict."""
        if not self._wanted:
            return
        if self.bytes + len(data) > self._capacity:
            metrics.UNKEPT.inc()
            return
        session.unsettled[seq] = data
        self.bytes += len(data)

    def settle(self, session: Session, mark: int) -> None:
        """Let go what is done, up to a frame's number."""
        session.settled = max(session.settled, mark)
        for seq in [seq for seq in session.unsettled if seq <= mark]:
            self.bytes -= len(session.unsettled.pop(seq))

    def forget(self, session: Session) -> None:
        """Let go all frames of a session."""
        self.bytes -= sum(map(len, session.unsettled.values()))
        session.unsettled.clear()
