"""The demonstration on the real models: the first program that a newcomer runs, and its files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2

from shared.codes import HINTS
from tests.support.service import ROOT


def demonstrate(models: Path, output: Path) -> str:
    """Run the demonstration; return what it printed."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "lunapass",
            "demo",
            "--models",
            str(models),
            "--output",
            str(output),
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    picture = cv2.imread(str(output / "bestshot.jpg"))
    assert picture is not None
    assert picture.shape == (480, 640, 3)
    assert "token verified" in run.stdout
    return run.stdout


def test_the_demonstration_ends_with_a_verified_verdict(
    models_directory: Path, tmp_path: Path
) -> None:
    """Hints follow the person's mistakes; the token verifies and has the best shot.

    The person is a rendered photograph, whose eyes LifeSigns finds too still, so it asks for a
    blink.
    """
    printed = demonstrate(models_directory, tmp_path / "demo")
    for code in (12, 3, 5, 19, 51, 62):
        assert HINTS[code] in printed
    assert "passive liveness is weak" not in printed


def test_with_the_fallback_models_the_person_must_act(
    fallback_models: Path, tmp_path: Path
) -> None:
    """It reports that passive liveness is weak, judges it, asks for two actions, and succeeds."""
    printed = demonstrate(fallback_models, tmp_path / "demo")
    assert "passive liveness is weak" in printed
    assert HINTS[51] in printed
    assert re.search(r"all checks passed *\W+ *0\.\d\d", printed)
    asks = [HINTS[code] for code in (62, 64, 65, 67, 68)]
    assert sum(ask in printed.split("eyes closed")[-1] for ask in asks) == 2
