"""Counts decided sessions, remembers the last ones, and logs why each was refused."""

import json
import logging
from typing import Any

from gateway import metrics
from gateway.sessions.recent_sessions import RecentSessions
from gateway.state.session import Session
from lunapass_client.codes import hint
from shared.wire.messages import decode_estimate

log = logging.getLogger(__name__)


class DecisionReport:
    """Counts and remembers each decided session, and logs one line about it.

    With ``env=development`` (``reveal``) it logs the liveness score of the last judged frame too.
    """

    def __init__(self, recent: RecentSessions, *, reveal: bool) -> None:
        self._recent = recent
        self._reveal = reveal

    def add(self, session: Session) -> None:
        """Report a session whose verdict is released, unless another process gave the verdict."""
        if not session.outcome or session.result is None:
            return
        seconds = round(session.clock.monotonic() - session.started, 2)
        codes: list[int] = []
        if session.outcome != "accepted":  # else the text has the best shot, and no codes
            codes = json.loads(session.result)["body"]["errors"]
        kiosk = str(json.loads(session.opened.start).get("kiosk", ""))
        metrics.decided(session.outcome, seconds, codes, kiosk)
        self._recent.add(session, seconds, codes)
        fields: dict[str, Any] = {"outcome": session.outcome}
        if codes:
            fields |= {"codes": codes, "hint": hint(codes[0])}
        if kiosk:
            fields["kiosk"] = kiosk
        if self._reveal and (score := _last_score(session)) is not None:
            fields["score"] = round(score, 3)
        extra = session.fields(**fields, frames=session.seq, seconds=seconds)
        log.info("session decided", extra=extra)


def _last_score(session: Session) -> float | None:
    """Return the liveness score of the last judged frame; None if it did not get that far."""
    if not session.log:
        return None
    liveness = decode_estimate(session.log[-1].estimate).liveness
    return liveness.score if liveness else None
