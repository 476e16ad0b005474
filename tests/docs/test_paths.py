"""Source files that the texts name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
USERS_OWN = "lunapassvideo.task.py"


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Paths of all Python files of the packages and tests, each with a leading slash."""
    folders = [ROOT / "tests", *(init.parent for init in ROOT.glob("*/__init__.py"))]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return [f"/{path.relative_to(ROOT)}" for path in paths]


def named(text: str) -> set[str]:
    """Python files in backticks, by their path or its end."""
    return set(re.findall(r"`([\w./]+\.py)(?:::\w+)?`", text)) - {USERS_OWN}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_named_source_files_exist(path: Path, files: list[str]) -> None:
    """A module that was renamed is renamed in the texts, too."""
    missing = {
        name for name in named(path.read_text()) if not any(f.endswith(f"/{name}") for f in files)
    }
    assert missing == set()


def test_the_texts_name_source_files() -> None:
    """The pattern above finds names."""
    assert len(set().union(*(named(path.read_text()) for path in TEXTS))) > 100
