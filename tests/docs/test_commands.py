"""The commands, options, make targets and configuration keys in the docs exist."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lunapass.cli import cli
from shared.config.base import Section
from shared.config.service import Config
from shared.config.video import VideoConfig

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "aggregator",
    "evaluation",
    "gateway",
    "inference_pool",
    "loadtest",
    "lunapass",
    "shared",
)
TEXTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.fixture(params=TEXTS, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    return str(request.param.read_text())


def commands(text: str) -> Iterator[list[str]]:
    """Return the words after ``lunapass`` at the start of a line of code or in backticks."""
    for line in re.findall(r"^(?:\.venv/bin/)?lunapass +(\w.*)$|`lunapass +(\w[^`]*)`", text, re.M):
        yield shlex.split("".join(line).split(" #")[0], comments=True)


def unknown(words: list[str]) -> list[str]:
    """Return the options and subcommands of a command line that the program does not have."""
    command: click.Command = cli
    context = click.Context(command)
    wrong: list[str] = []
    for word in words:
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word):
            if (found := command.get_command(context, word)) is None:
                return [*wrong, word]
            command = found
        elif word.startswith("-"):
            known = {name for param in command.params for name in param.opts}
            known |= {name for param in command.params for name in param.secondary_opts}
            wrong += [word] if word.split("=")[0] not in known else []
    return wrong


def test_commands_exist(text: str) -> None:
    """The program has every command and option."""
    wrong = [(words, unknown(words)) for words in commands(text)]
    assert [pair for pair in wrong if pair[1]] == []


def test_the_texts_contain_commands() -> None:
    """The search finds commands, and detects an unknown one."""
    found = [words for path in TEXTS for words in commands(path.read_text())]
    assert len(found) > 40
    assert sum(word.startswith("--") for words in found for word in words) > 15
    assert unknown(["models", "fetch"]) == ["fetch"]
    assert unknown(["load", "URL", "--crowd", "3", "--people", "3"]) == ["--crowd"]


def test_targets_exist(text: str) -> None:
    """The Makefile has every target."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = re.findall(r"^make ([a-z -]+)|`make ([a-z -]+)", text, re.M)
    assert {word for pair in named for word in "".join(pair).split()} <= targets


def test_pip_commands_install_local_files(text: str) -> None:
    """The project is in no package index, so anyone could publish something under its name."""
    assert (
        re.findall(r"pip (?:install|download).*\bopen[-_]lunapass(?![-_\w]*-\*\.whl)", text) == []
    )


def test_extras_exist() -> None:
    """setup.cfg has every extra that a page or a message names; no message needs an index."""
    sources = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    messages = "".join(path.read_text() for path in sources)
    texts = "".join(path.read_text() for path in TEXTS)
    named = re.findall(r"(?:\.|open-lunapass|\.whl)\[([a-z,]+)\]", messages + texts)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert {extra for one in named for extra in one.split(",")} <= {
        *setup["options.extras_require"]
    }
    assert len(named) > 8
    assert "pip install 'open-lunapass" not in messages


def keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys(inner, f"{prefix}{name}.")


def test_keys_exist(text: str) -> None:
    """A key with its section, such as ``LIMITS.sessions``, is in one of the two configurations."""
    known = {*keys(Config), *keys(VideoConfig)}
    sections = {key.split(".")[0] for key in known}
    named = set(re.findall(r"\b((?:[A-Z][A-Z_]+\.)+[a-z]\w+)\b(?!-)", text))
    named = {name for name in named if name.split(".")[0] in sections}
    assert named <= known
