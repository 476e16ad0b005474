"""Decided sessions are counted by outcome and kiosk, refused ones by code."""

from __future__ import annotations

from gateway import metrics


def test_refused_sessions_are_counted_by_code() -> None:
    """Each code of the verdict counts once; those of user plugins share one series."""
    before = metrics.totals(metrics.VERDICT_CODES, "code")
    sessions = metrics.totals(metrics.SESSIONS, "outcome")
    metrics.decided("refused", 3.5, [73, 32])
    metrics.decided("refused", 3.5, [1001])
    metrics.decided("left", 1.0, [40])
    after = metrics.totals(metrics.VERDICT_CODES, "code")
    grown = {code: count - before.get(code, 0) for code, count in after.items()}
    expected = {"73": 1, "32": 1, "other": 1}
    assert {code: count for code, count in grown.items() if count} == expected
    decided = metrics.totals(metrics.SESSIONS, "outcome")
    assert decided["refused"] - sessions["refused"] == 2
    assert decided["left"] - sessions["left"] == 1


def test_the_number_of_kiosk_series_is_limited() -> None:
    """The first kiosks have their own series; all others share one, however many there are."""
    for number in range(metrics.MAX_KIOSKS + 50):
        metrics.decided("accepted", 1.0, [], kiosk=f"kiosk-{number}")
    counted = metrics.totals(metrics.KIOSK_SESSIONS, "kiosk")
    assert len(counted) == metrics.MAX_KIOSKS + 1
    assert counted["kiosk-0"] == 1
    assert counted["other"] >= 50  # other tests in this process have kiosks, too
