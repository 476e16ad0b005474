"""The log line of a decided session says why it was refused, and at which kiosk."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from gateway.limits.buckets import TokenBucket
from gateway.sessions.decision_report import DecisionReport
from gateway.sessions.recent_sessions import RecentSessions
from gateway.state.session import Session
from shared.codes import Code
from shared.frame.estimation import Estimate, Liveness
from shared.wire.messages import Open, encode
from shared.wire.records import Judged
from tests.support.log import logged


def refused(start: str = "{}") -> Session:
    """Return a session that was refused for its last frame's liveness."""
    opened = Open("i", "0" * 32, at=0.0, seed=1, token_digest=b"0" * 32, start=start)
    session = Session("0" * 32, opened, "192.0.2.1", TokenBucket(1.0, 1.0), started=0.0)
    estimate = encode(Estimate(640, 480, liveness=Liveness(0.23456, 1.0)))
    session.log.append(Judged(1, 0.0, estimate))
    body = {"isOk": False, "jwt": None, "errors": [int(Code.TOO_MANY_REFUSALS)]}
    session.result, session.outcome = json.dumps({"body": body}), "refused"
    return session


def line_of(session: Session, *, reveal: bool) -> dict[str, Any]:
    with logged("gateway.sessions.decision_report", logging.INFO) as lines:
        DecisionReport(RecentSessions(), reveal=reveal).add(session)
    (line,) = lines
    return line


def test_a_refusal_names_code_hint_and_kiosk() -> None:
    """The production log has no measurement of the person."""
    line = line_of(refused('{"kiosk": "hall 2"}'), reveal=False)
    assert (line["outcome"], line["codes"], line["kiosk"]) == ("refused", [73], "hall 2")
    assert "too many pictures" in line["hint"]
    assert "score" not in line


def test_development_shows_the_score() -> None:
    """It is the liveness score of the last judged frame; a frame without one adds nothing."""
    session = refused()
    line = line_of(session, reveal=True)
    assert line["score"] == pytest.approx(0.235)
    assert "kiosk" not in line
    session.log[-1] = Judged(2, 0.0, encode(Estimate(640, 480)))
    assert "score" not in line_of(session, reveal=True)
