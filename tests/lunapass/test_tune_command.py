from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunapass.commands.tune import command
from shared.config.loading import load
from tests.evaluation.estimates import QUALITY, estimate
from tests.evaluation.logs import write_session


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Fifty sessions: forty people whose camera is a little soft, ten who gave up."""
    folder = tmp_path / "LOGS"
    for number in range(50):
        soft = [estimate(quality=replace(QUALITY, blur=0.45 + number / 500)) for _ in range(3)]
        frames = soft if number >= 40 else [*soft, estimate()]
        write_session(folder, number, frames, accepted=number < 40)
    return folder


def tune(logs: Path, *words: object) -> Result:
    return CliRunner().invoke(command, [str(logs), *map(str, words)], catch_exceptions=False)


def test_report_of_fifty_sessions(logs: Path, tmp_path: Path) -> None:
    """The table, the page and the JSON show what each threshold refused and a suggestion."""
    result = tune(logs, "--html", tmp_path / "o.html", "--json", tmp_path / "o.json")
    report = json.loads((tmp_path / "o.json").read_text())
    page = (tmp_path / "o.html").read_text()
    assert result.exit_code == 0
    assert (report["sessions"], report["accepted"], report["frames"]) == (50, 40, 190)
    refused = {step["value"]: step["refused"] for step in report["thresholds"]["blur"]["whatIf"]}
    assert refused[0.61] == 150
    assert [one["key"] for one in report["suggestions"]] == ["blur"]
    assert "50 sessions, 1 suggestions" in result.output
    assert page.count("<svg") == 2 * len(report["thresholds"])
    assert "reach later checks" in " ".join(page.split())


def test_overlay_is_a_configuration(logs: Path, tmp_path: Path) -> None:
    """The file loads as a configuration, with the suggested value and its cost beside it."""
    overlay = tmp_path / "overlay.toml"
    tune(logs, "--write", overlay)
    value = tomllib.loads(overlay.read_text())["LIVENESS"]["THRESHOLDS"]["blur"]
    assert 0.45 <= value < 0.5
    assert load(overlay, {}).LIVENESS.THRESHOLDS.blur == value
    assert "# cost: " in overlay.read_text()


def test_folder_without_logs(tmp_path: Path) -> None:
    """The error is one line, not an empty report."""
    with pytest.raises(Exception, match="found no session of FileLogger"):
        tune(tmp_path)
