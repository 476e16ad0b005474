"""The dashboard for Grafana is complete; ``tests/e2e/test_statistics.py`` checks its series."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.service import ROOT

BOARD = json.loads((ROOT / "deploy" / "grafana" / "lunapass.json").read_text())
PANELS = BOARD["panels"]
STATS = [panel for panel in PANELS if panel["type"] == "stat"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
COLUMNS = 24
"""Width of Grafana's grid."""


def test_panels_do_not_overlap() -> None:
    """Each has its own id and a place within the grid."""
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids)) > 20
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


def test_the_first_row_shows_the_state() -> None:
    """It has single values in the colours of their thresholds, each with a description."""
    assert {panel["gridPos"]["y"] for panel in STATS} == {0}
    assert sum(panel["gridPos"]["w"] for panel in STATS) == COLUMNS
    for panel in STATS:
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["color"] == {"mode": "thresholds"}
        assert panel["description"].endswith(".")


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_is_complete(panel: dict[str, Any]) -> None:
    """It has a unit, ascending thresholds if any, the chosen data source, and named queries."""
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in {"none", "s", "cps", "bytes", "percentunit"}
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    names = [target["refId"] for target in panel["targets"]]
    assert len(names) == len(set(names)) > 0
    steps = defaults.get("thresholds", {"steps": [{"value": None}]})["steps"]
    assert steps[0]["value"] is None
    values = [step["value"] for step in steps[1:]]
    assert values == sorted(values)


def test_each_variable_is_used() -> None:
    """Every query filters by the chosen jobs and instances, and no variable is unknown."""
    variables = [variable["name"] for variable in BOARD["templating"]["list"]]
    assert variables == ["datasource", "job", "instance", "kiosk"]
    for query in QUERIES:
        for series in re.findall(r"lunapass_\w+(?:{([^}]*)})?", query):
            assert 'job=~"$job",instance=~"$instance"' in series, query
        assert set(re.findall(r"\$(\w+)", query)) - {"__rate_interval", "__range"} <= {*variables}
    assert all('kiosk=~"$kiosk"' in query for query in QUERIES if "lunapass_kiosk_" in query)


def test_prometheus_accepts_the_queries(tmp_path: Path) -> None:
    """Each is valid PromQL."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool (Debian package prometheus) is not installed on this machine")
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__(rate_interval|range)", "5m", query)}
        for number, query in enumerate(QUERIES)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([program, "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
