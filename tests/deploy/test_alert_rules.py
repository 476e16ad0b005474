"""The alert rules for Prometheus: expressions are valid, and alerts fire under their conditions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "lunapass.rules.yml"
CASES = ROOT / "tests" / "deploy" / "prometheus" / "lunapass.test.yml"


def test_each_alert_says_what_to_do() -> None:
    """It has a severity, names the instance, and describes the remedy."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(names) == len(set(names)) > 10
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert "$labels.instance" in rule["annotations"]["summary"]
        described = rule["annotations"]["description"]
        for page in re.findall(r"docs/[a-z-]+\.md", described):
            assert (ROOT / page).exists()


def promtool(*arguments: str) -> str:
    """Run Prometheus's checker and return its output; fail if it finds an error."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool (Debian package prometheus) is not installed on this machine")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_accepts_the_rules() -> None:
    """Every expression and template is valid."""
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_alerts_fire_only_for_the_failing_instance(tmp_path: Path) -> None:
    """An instance without errors raises none."""
    cases = tmp_path / CASES.name
    cases.write_text(CASES.read_text().replace("RULES", str(RULES)))
    assert "SUCCESS" in promtool("test", "rules", str(cases))
