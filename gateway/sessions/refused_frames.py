"""Logs why frames are refused: one line per frame, at a bounded rate."""

import logging
from collections import OrderedDict

from gateway import metrics
from gateway.limits.buckets import LineBudget, TokenBucket
from gateway.state.session import Session
from shared.errors import FrameError

log = logging.getLogger(__name__)

SESSION_LINES, SESSION_RATE = 3, 0.1
"""Lines of one session at once, and per second after that: a camera repeats one error forever."""
LINES, RATE = 30, 1.0
"""Lines of all sessions at once, and per second after that."""
SESSIONS = 4096
"""Sessions whose rate is remembered; the one that was refused longest ago is forgotten first."""


class RefusedFrameLog:
    """Counts every refusal, and logs it unless there were too many."""

    def __init__(self) -> None:
        self._all = LineBudget(RATE, LINES)
        self._sessions: OrderedDict[str, TokenBucket] = OrderedDict()

    def add(self, session: Session, seq: int, error: FrameError, now: float) -> None:
        """Count a frame that is refused at a monotonic time."""
        metrics.FRAMES_REFUSED.labels(error.code).inc()
        if not self._bucket(session.id).admit(now):
            self._all.leave_out()
        elif (left_out := self._all.take(now)) is not None:
            fields = session.fields(seq=seq, code=error.code, leftOut=left_out)
            log.info("frame refused: %s", error, extra=fields)

    def _bucket(self, session: str) -> TokenBucket:
        bucket = self._sessions.pop(session, None) or TokenBucket(SESSION_RATE, SESSION_LINES)
        self._sessions[session] = bucket
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return bucket
