"""docs/security.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ATTACKS = "tests/e2e/test_attacks.py"
TEXT = (ROOT / "docs" / "security.md").read_text()
PATHS = sorted(set(re.findall(r"tests/[\w/]+(?:\.py)?", TEXT)))
NAMES = sorted(set(re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", TEXT)))


def test_the_table_is_read() -> None:
    """The patterns find paths and names."""
    assert len(PATHS) >= 12
    assert len(NAMES) >= 12


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_exists(path: str) -> None:
    """Files and folders of the table exist."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_a_named_test_exists(path: str, name: str) -> None:
    """A test without a file is in ``test_attacks.py``."""
    text = (ROOT / (path or ATTACKS)).read_text()
    assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE)
