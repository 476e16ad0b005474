"""Types, pure functions and size of the page.

test_package.py compares the build with the sources.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess

import pytest

from tests.support.service import ROOT

KIOSK = ROOT / "kiosk"
BUDGET = 60_000


@pytest.fixture(scope="module")
def node() -> str:
    """Path of Node.js; tests skip if it or its packages are not installed."""
    path = shutil.which("node")
    if path is None or not (KIOSK / "node_modules" / "esbuild").is_dir():
        pytest.skip("Node.js or kiosk/node_modules is missing: install it and run 'make kiosk'")
    return path


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=KIOSK, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types(node: str) -> None:
    """The JSDoc types pass strict checking."""
    run(node, "node_modules/typescript/bin/tsc")


def test_pure_functions(node: str) -> None:
    """The JavaScript tests of hints, flow, protocol and texts pass."""
    files = sorted(str(file) for file in (ROOT / "tests" / "kiosk").glob("*.test.mjs"))
    assert files
    assert "fail 0" in run(node, "--test", "--test-reporter=spec", *files)


def test_the_page_is_small() -> None:
    """All that the page loads, compressed, stays within its budget."""
    loaded = [
        file
        for file in (KIOSK / "dist").rglob("*")
        if file.name in ("index.html", "page.css", "page.js", "page.json", "icon.svg")
    ]
    assert len(loaded) == 5
    loaded.append(max((KIOSK / "dist" / "texts").iterdir(), key=lambda file: file.stat().st_size))
    assert sum(len(gzip.compress(file.read_bytes())) for file in loaded) < BUDGET
