"""The report page of whole sessions."""

from __future__ import annotations

import json
from typing import Any

from evaluation.session_report import html
from evaluation.session_summary import summarise_sessions
from evaluation.sign_thresholds import measured_signs, suggest_thresholds
from evaluation.verdicts import SessionOutcome, SessionVerdict
from shared.codes import Code
from shared.config.life_signs import LifeSignsArgs
from tests.evaluation.estimates import verdict

HOSTILE = '<script src="//x">'


def summary(*verdicts: SessionVerdict) -> dict[str, Any]:
    return {"policy": "Accepts one frame.", **summarise_sessions(verdicts)}


def page(result: dict[str, Any]) -> str:
    signs = measured_signs(result["sessions"], LifeSignsArgs())
    return html(result, signs, list(suggest_thresholds(signs)), "Sessions", lambda name: "AAAA")


def test_the_page_has_rates_signs_and_errors() -> None:
    """It loads nothing external, and the name of a folder cannot become markup."""
    live = [verdict(SessionOutcome.ACCEPTED, f"live/{n}", eyes=n / 1000) for n in range(24)]
    lost = verdict(SessionOutcome.UNDECIDED, HOSTILE)
    attack = verdict(SessionOutcome.ACCEPTED, "attack/x/1", species=HOSTILE, eyes=0.01)
    shown = page(summary(*live, lost, attack))
    assert "<script" not in shown
    assert "http" not in shown.replace("http-equiv", "")
    assert shown.count("<svg") == 2
    assert shown.count("data:image/jpeg;base64,AAAA") == 2
    assert "eyesDeviation" in shown
    assert "half total error" in shown
    assert "52.0\u00a0%" in shown  # the mean of 100 % and 4 %


def test_a_set_without_live_sessions_or_signs_has_a_page() -> None:
    """It names what is missing instead of dividing by zero."""
    result = summary(verdict(SessionOutcome.REFUSED, species="print"))
    json.dumps(result, allow_nan=False)
    assert result["halfTotalError"] is None
    assert "no BPCER" in page(result)
    assert "no APCER" in page(summary(verdict(SessionOutcome.ASKED)))


def test_notes_say_why_live_sessions_had_no_decision() -> None:
    """They name the most frequent code of the frames, such as a face too small for the camera."""
    result = summary(
        verdict(SessionOutcome.ACCEPTED, "live/a", findings={Code.AGGREGATING: 9}),
        verdict(SessionOutcome.UNDECIDED, "live/b", findings={Code.FACE_TOO_NARROW: 18}),
        verdict(SessionOutcome.UNDECIDED, "live/c", refused="the frame is empty"),
    )
    notes = " ".join(result["notes"])
    assert "2 of 3 live sessions had no decision" in notes
    assert "code 12 (Come closer)" in notes
    assert "first is live/c: the frame is empty." in notes
    assert result["findings"][0] == {
        "code": 12,
        "finding": "Come closer",
        "live": 18,
        "attack": 0,
    }


def test_live_sessions_are_counted_by_group() -> None:
    """The groups come from a column of the CSV."""
    result = summary(
        verdict(SessionOutcome.ASKED, "live/a", group="over 60"),
        verdict(SessionOutcome.REFUSED, "live/b", group="over 60"),
        verdict(SessionOutcome.ACCEPTED, "live/c", group="under 60"),
    )
    assert result["groups"]["over 60"]["bpcer"]["rate"] == 0.5
    assert result["groups"]["over 60"]["asked"]["rate"] == 0.5
    assert result["groups"]["under 60"]["bpcer"]["errors"] == 0
    assert "under 60" in page(result)
