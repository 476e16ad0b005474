"""The example programs that verify tokens, as a fixture."""

from __future__ import annotations

import shutil
import subprocess

import pytest

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
