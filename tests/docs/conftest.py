"""The example programs that verify tokens, as a fixture, and the texts of the code."""

from __future__ import annotations

import ast
import shutil
import subprocess

import pytest

from tests.support.service import ROOT
from tests.support.verify_examples import COMMANDS, Run


@pytest.fixture(params=COMMANDS)
def language(request: pytest.FixtureRequest) -> str:
    if shutil.which(COMMANDS[request.param][0]) is None:
        pytest.skip(f"{COMMANDS[request.param][0]} is not installed on this machine")
    name: str = request.param
    return name


@pytest.fixture
def verify(language: str) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMANDS[language], *arguments], capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def texts() -> str:
    """Return every string literal of the product's code; adjacent ones are joined."""
    found = []
    for folder in (init.parent for init in ROOT.glob("*/__init__.py")):
        for file in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return "\n".join(found)
