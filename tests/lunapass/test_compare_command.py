"""``lunapass compare``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from evaluation.session_summary import summarise_sessions
from evaluation.verdicts import SessionOutcome
from lunapass.commands.compare import command
from tests.evaluation.estimates import verdict


def test_two_reports_are_compared(tmp_path: Path) -> None:
    """The table, the JSON and the page say which is better."""
    reports = []
    for name, attack in (("old", SessionOutcome.ACCEPTED), ("new", SessionOutcome.ASKED)):
        sessions = [
            verdict(outcome, f"{species}/{n}", species=species, subject=f"{n}")
            for n in range(9)
            for species, outcome in (("", SessionOutcome.ACCEPTED), ("print", attack))
        ]
        reports.append(tmp_path / f"{name}.json")
        sessions.append(verdict(SessionOutcome.ASKED, "print/x", species="print", subject="x"))
        reports[-1].write_text(json.dumps(summarise_sessions(sessions)))
    page, out = tmp_path / "o.html", tmp_path / "o.json"
    words = [*reports, "--html", page, "--json", out]
    result = CliRunner().invoke(command, list(map(str, words)), catch_exceptions=False)
    assert "The second is better" in result.output
    assert "APCER print" in result.output
    assert "Comparison of old and new" in page.read_text()
    rates = json.loads(out.read_text())["views"]["errors of sessions"]
    assert (rates["APCER print"]["before"], rates["APCER print"]["after"]) == (0.9, 0.0)
