"""Decided sessions are counted by outcome, and refused ones by code."""

from __future__ import annotations

import json

from gateway import metrics


def result(*codes: int) -> str:
    return json.dumps({"command": "RESULT", "body": {"isOk": False, "errors": codes}})


def test_refused_sessions_are_counted_by_code() -> None:
    """Each code of the verdict once; those of an operator's own plugins as one series."""
    before = metrics.totals(metrics.VERDICT_CODES, "code")
    sessions = metrics.totals(metrics.SESSIONS, "outcome")
    metrics.decided("refused", 3.5, result(73, 32))
    metrics.decided("refused", 3.5, result(1001))
    metrics.decided("left", 1.0, result(40))
    after = metrics.totals(metrics.VERDICT_CODES, "code")
    grown = {code: count - before.get(code, 0) for code, count in after.items()}
    expected = {"73": 1, "32": 1, "other": 1}
    assert {code: count for code, count in grown.items() if count} == expected
    decided = metrics.totals(metrics.SESSIONS, "outcome")
    assert decided["refused"] - sessions["refused"] == 2
    assert decided["left"] - sessions["left"] == 1
