"""Settings of AggregateLiveness and the limit of refusals, compared on the same sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.gate import named_rates
from evaluation.judging import Measured
from evaluation.samples import Sample
from evaluation.trade_off import Setting, grid, judge_setting, summarise_trade_off
from evaluation.trade_off_report import html
from shared.codes import Code
from tests.support.judge import live, plugin_config

CONFIG = plugin_config({"LifeSigns": {}, "Bestshot": None})
NOW = Setting.of(CONFIG)


def session(name: str, species: str, scores: list[float]) -> Measured:
    frames = [live(score, errors=() if score >= 0.5 else (Code.LOW_LIVENESS,)) for score in scores]
    return Measured(Sample(Path(name), name, species, name), tuple(frames))


SESSIONS = [
    session("steady", "", [0.9] * 20),
    session("dull", "", [0.2] * 4 + [0.9] * 16),
    session("lucky", "print", [0.1] * 9 + [0.9] + [0.1] * 10),
    session("wave", "screen", [0.1] * 6 + [0.9] * 3 + [0.1] * 11),
]


@pytest.mark.parametrize(
    ("setting", "accepted"),
    [
        (Setting(1, False, 0), {"steady": 1, "dull": 5, "lucky": 10, "wave": 7}),
        (Setting(1, False, 10), {"steady": 1, "dull": 5, "lucky": 10, "wave": 7}),
        (Setting(1, False, 5), {"steady": 1, "dull": 5}),
        (Setting(3, False, 0), {"steady": 3, "dull": 6, "wave": 8}),
        (Setting(3, True, 0), {"steady": 3}),
        (Setting(5, True, 0), {"steady": 4}),
        (Setting(5, False, 5), {"steady": 5, "dull": 7}),
        (Setting(10, False, 0), {"steady": 10, "dull": 10}),
        (Setting(10, True, 0), {"steady": 4}),
    ],
)
def test_the_service_judges(setting: Setting, accepted: dict[str, int]) -> None:
    """Each session is accepted at the frame at which the service accepts it, or not at all."""
    verdicts = judge_setting(SESSIONS, setting, CONFIG, 5.0)
    outcomes = {one.sample.name: one.frames for one in verdicts if one.outcome == "accepted"}
    assert outcomes == accepted


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    judged = {setting: judge_setting(SESSIONS, setting, CONFIG, 5.0) for setting in grid(20, NOW)}
    return {**summarise_trade_off(judged, NOW), "notes": ["A <note>."]}


def test_the_grid_has_the_configured_setting() -> None:
    """A limit that no session of this length reaches is left out."""
    assert Setting(1, False, 15) == NOW
    assert {one.refusals for one in grid(20, NOW)} == {5, 10, 15, 0}
    assert Setting(20, True, 7) in grid(20, Setting(20, True, 7))
    assert len(grid(20, NOW)) == 28
    assert {one.frames for one in grid(4, NOW)} == {1, 3}


def test_errors_of_each_setting(summary: dict[str, Any]) -> None:
    """By species and pooled, with the worst species and a bootstrap over subjects."""
    (row,) = (row for row in summary["settings"] if row["now"])
    assert not row["front"]
    assert {name: rate["rate"] for name, rate in row["apcer"].items()} == {"print": 1, "screen": 1}
    assert (row["apcerMax"]["rate"], row["allAttacks"]["errors"], row["bpcer"]["rate"]) == (1, 2, 0)
    (one,) = (
        r for r in summary["settings"] if (r["rule"], r["limit"]) == ("mean of 3", "no limit")
    )
    assert one["apcerMax"] == {"rate": 1.0, "bySubject": (0.0, 1.0)}
    assert one["allAttacks"]["bySubject"] == (0.0, 1.0)
    assert (one["halfTotalError"], one["liveFrames"]) == (0.25, 4.5)
    assert {row["rule"] for row in summary["settings"] if row["front"]} == {
        "first passing frame",
        "mean of 3",
        "mean of 5",
        "mean of 10",
    }


def test_the_summary_names_the_front_and_the_cost_of_the_configured_setting(
    summary: dict[str, Any],
) -> None:
    """It is one sentence; the cost is a change, here of too few people for an interval."""
    assert summary["answer"] == (
        "The configured setting (first passing frame, 15 refusals) is not on the front: it accepts"
        " 100.0 % of the attacks (worst species 100.0 %), and refuses 0.0 % of live sessions. The"
        " setting with the lowest half total error (first passing frame, 5 refusals) accepts 0.0 %"
        " of the attacks (worst species 0.0 %), and refuses 0.0 % of live sessions (half total"
        " error -50.0 points; there is no interval, because fewer than 6 people change it)."
    )
    assert summary["changes"]["print"]["better"] == 1
    best = summarise_trade_off({NOW: judge_setting(SESSIONS, NOW, CONFIG, 5.0)}, NOW)
    assert "(first passing frame, 15 refusals) has the lowest half total error" in best["answer"]


def test_the_page_and_the_gate(summary: dict[str, Any]) -> None:
    """The page loads nothing external; the gate takes the configured setting."""
    shown = html(json.loads(json.dumps(summary)), "Sessions of <b>")
    assert shown.count("<svg") == 4
    assert "mean of 10, early decision (front" not in shown
    assert "first passing frame (configured)" in shown
    assert "A &lt;note&gt;." in shown
    assert "no interval (-) where fewer than 6 people change the rate, or all change alike" in shown
    rates = named_rates(summary)
    assert (rates["apcer.print"], rates["bpcer"], rates["halfTotalError"]) == (1.0, 0.0, 0.5)
