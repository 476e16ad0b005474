"""The demonstration on the real models: what a newcomer runs first, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2

from shared.codes import HINTS
from tests.support.service import ROOT


def test_the_demonstration_ends_with_a_verified_verdict(
    models_directory: Path, tmp_path: Path
) -> None:
    """Hints come as the person misbehaves; then the token verifies and holds the best shot."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "lunapass",
            "demo",
            "--models",
            str(models_directory),
            "--output",
            str(tmp_path / "demo"),
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for code in (12, 3, 5, 19, 51):
        assert HINTS[code] in run.stdout
    assert "token verified" in run.stdout
    picture = cv2.imread(str(tmp_path / "demo" / "bestshot.jpg"))
    assert picture is not None
    assert picture.shape == (480, 640, 3)
