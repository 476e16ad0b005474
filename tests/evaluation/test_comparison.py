"""Two reports on the same set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.comparison import HALF_TOTAL, EvaluationReport, compare_reports
from evaluation.comparison_report import change_row, html
from evaluation.scoring import score
from evaluation.session_summary import summarise_sessions
from evaluation.summary import summarise
from evaluation.verdicts import SessionOutcome
from shared.errors import ResourceError
from shared.frame.checks import Rules
from tests.evaluation.estimates import estimate, presentation, verdict

Write = Callable[[str, Any], EvaluationReport]


@pytest.fixture
def report(tmp_path: Path) -> Write:
    """Write a report as ``evaluate --json`` does, and read it."""

    def written(name: str, summary: Any) -> EvaluationReport:
        path = tmp_path / name
        path.write_text(summary if isinstance(summary, str) else json.dumps(summary))
        return EvaluationReport.read(path)

    return written


def frames(print_score: float, live: int = 20) -> dict[str, Any]:
    """Live people and prints of them; one shows no face."""
    shown = [
        *(presentation(estimate(0.9), name=f"live/{n}", subject=f"{n}") for n in range(live)),
        *(
            presentation(estimate(print_score), name=f"p/{n}", species="print", subject=f"{n}")
            for n in range(20)
        ),
        presentation(estimate(None, faces=0), name="p/none", species="print", subject="x"),
    ]
    rules = Rules()
    return summarise([score(one, rules, 1) for one in shown], rules, unit="presentation", window=1)


def sessions(attack: SessionOutcome, count: int = 20) -> dict[str, Any]:
    return summarise_sessions(
        [
            *(verdict(SessionOutcome.ACCEPTED, f"live/{n}", subject=f"{n}") for n in range(count)),
            *(verdict(attack, f"p/{n}", species="<b>print", subject=f"{n}") for n in range(count)),
        ]
    )


def test_two_evaluations_of_frames(report: Write) -> None:
    """Rates and their changes, by liveness alone and as served.

    Samples without a score count only as served.
    """
    found = compare_reports(report("a", frames(0.8)), report("b", frames(0.2)))
    alone, served = (one.rows() for one in found.views)
    assert (alone["APCER print"].before, alone["APCER print"].after) == (1.0, 0.0)
    assert (alone["APCER print"].of, served["APCER print"].of) == (20, 21)
    assert (alone["BPCER"].interval, alone[HALF_TOTAL].interval) == (None, None)
    assert (alone[HALF_TOTAL].before, alone[HALF_TOTAL].after) == (0.5, 0.0)
    assert found.conclusion.startswith("The second is better: the half total error changes by")
    assert len(found.moved()) == 20
    page = html(found, "one", "two")
    assert page.count("<svg") == 1
    assert "accepted, score 0.800" in page
    assert "no interval (-) where fewer than 6 people change the rate, or all change alike" in page


def test_two_evaluations_of_sessions(report: Write) -> None:
    """Errors, and the sessions asked for an action, which are no errors."""
    before, after = sessions(SessionOutcome.ASKED), sessions(SessionOutcome.ACCEPTED)
    after["sessions"][-1]["outcome"] = "asked"
    found = compare_reports(report("a", before), report("b", after))
    errors, asked = (one.rows() for one in found.views)
    assert errors["APCER <b>print"].after == 0.95
    assert (asked["<b>print"].before, asked["<b>print"].after) == (1.0, 0.05)
    assert HALF_TOTAL not in asked
    assert found.conclusion.startswith("The second is worse")
    assert "<b>" not in html(found, "<b>one", "two")
    json.dumps(found.data(), allow_nan=False)


def test_a_change_that_may_be_chance_is_no_difference(report: Write) -> None:
    """Of twenty attacks five are newly accepted, and four no longer."""
    before, after = sessions(SessionOutcome.ASKED), sessions(SessionOutcome.ASKED)
    for one in before["sessions"][-4:] + after["sessions"][20:25]:
        one["outcome"] = "accepted"
    found = compare_reports(report("a", before), report("b", after))
    assert found.conclusion.startswith("This set shows no difference")


@pytest.mark.parametrize(
    ("count", "accepted", "change", "reason"),
    [
        (20, 1, "+2.5", "fewer than 6 people change it"),
        (2, 2, "+50.0", "fewer than 6 people change it"),
        (20, 20, "+50.0", "all people change alike"),
        (1, 1, "+50.0", "live presentations or attacks come from fewer than 2 people"),
    ],
)
def test_a_set_that_gives_no_interval_gives_no_conclusion(
    report: Write, count: int, accepted: int, change: str, reason: str
) -> None:
    """Text, table and JSON say so, with the reason."""
    before, after = (sessions(SessionOutcome.ASKED, count=count) for _ in range(2))
    for one in after["sessions"][-accepted:]:
        one["outcome"] = "accepted"
    found = compare_reports(report("a", before), report("b", after))
    assert found.conclusion == (
        f"No conclusion: the half total error changes by {change} points; there is no interval,"
        f" because {reason}."
    )
    assert found.conclusion in html(found, "one", "two")
    row = found.data()["views"]["errors of sessions"][HALF_TOTAL]
    assert (row["interval"], row["reason"]) == (None, reason)
    assert change_row("", found.views[0].rows()[HALF_TOTAL])[5] == "-"


def test_a_set_without_attacks_gives_no_conclusion(report: Write) -> None:
    """There is no half total error to compare."""
    live = sessions(SessionOutcome.ASKED)
    del live["sessions"][20:]
    found = compare_reports(report("a", live), report("b", live))
    assert found.conclusion == "Live presentations and attacks are needed to compare."


def test_presentations_of_one_report_only_are_counted(report: Write) -> None:
    """They are not compared, and the page says so."""
    found = compare_reports(report("a", frames(0.8, live=25)), report("b", frames(0.8)))
    assert found.only == (5, 0)
    assert "5 presentations that only one has" in html(found, "one", "two")


def test_incompatible_reports_are_refused(report: Write) -> None:
    """They are of another kind or set, or have another label."""
    one = report("a", frames(0.8))
    with pytest.raises(ResourceError, match="of sessions, or of frames"):
        compare_reports(one, report("b", sessions(SessionOutcome.ASKED)))
    moved = json.loads(json.dumps(frames(0.8)).replace('"path": "', '"path": "x/'))
    with pytest.raises(ResourceError, match="no presentation in common"):
        compare_reports(one, report("c", moved))
    renamed = json.loads(json.dumps(frames(0.8)).replace('"species": "print"', '"species": "y"'))
    with pytest.raises(ResourceError, match="differ in species"):
        compare_reports(one, report("d", renamed))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"sessions": 1}', '{"sessions": [{"path": "a"}]}', "[" * 100_000],
)
def test_other_files_are_refused(report: Write, text: str) -> None:
    """The error is one line with the name of the file."""
    with pytest.raises(ResourceError, match="evaluate --json"):
        report("a.json", text)
