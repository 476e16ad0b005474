"""Source files that the docs name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
USERS_OWN = "lunapassvideo.task.py"


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Return the paths of all Python files of the packages and tests, each with a leading slash."""
    folders = [ROOT / "tests", *(init.parent for init in ROOT.glob("*/__init__.py"))]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return [f"/{path.relative_to(ROOT)}" for path in paths]


def named(text: str) -> set[str]:
    """Return the Python files in backticks, as full or partial paths."""
    return set(re.findall(r"`([\w./]+\.py)(?:::\w+)?`", text)) - {USERS_OWN}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_named_source_files_exist(path: Path, files: list[str]) -> None:
    """If a module is renamed, the docs follow."""
    missing = {
        name for name in named(path.read_text()) if not any(f.endswith(f"/{name}") for f in files)
    }
    assert missing == set()


def test_the_texts_name_source_files() -> None:
    """The pattern above finds names."""
    assert len(set().union(*(named(path.read_text()) for path in TEXTS))) > 100
