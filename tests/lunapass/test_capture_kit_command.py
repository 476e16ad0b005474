"""``lunapass capture-kit``."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from lunapass.commands.capture_kit import command
from shared.errors import ConfigError, ResourceError


def run(*words: object, answers: str = "") -> Result:
    return CliRunner().invoke(command, list(map(str, words)), input=answers, catch_exceptions=False)


def test_portraits_become_one_page(tmp_path: Path) -> None:
    """It loads nothing, runs no script, and escapes the names of files."""
    for name in ("b&b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((64, 64, 3), 99, np.uint8))
    page = tmp_path / "kit.html"
    assert run("sheets", page, "--portraits", tmp_path).exit_code == 0
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 2
    assert text.index("<figcaption>a<") < text.index("<figcaption>b&amp;b<")
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    """No page without portraits is written."""
    with pytest.raises(ResourceError, match="there is no image"):
        run("sheets", tmp_path / "kit.html", "--portraits", tmp_path)


def configured(folder: Path, text: str) -> Path:
    path = folder / "lunapass.toml"
    path.write_text(text)
    return path


def test_recording_needs_file_logger(tmp_path: Path) -> None:
    """The error says how to turn it on, before anyone does a check in vain."""
    config = configured(tmp_path, "")
    with pytest.raises(ConfigError, match="FileLogger\\] is off: set isEnabled = 1"):
        run("record", tmp_path / "set", "--person", "anna", "--config", config)


def test_recording_warns_of_short_sessions_and_pauses(tmp_path: Path) -> None:
    """Both are settings of the running service; ``q`` stops."""
    logs = tmp_path / "LOGS"
    logs.mkdir()
    on = f'[MIDDLEWARES.WS.FileLogger]\nisEnabled = 1\nargs = {{path = "{logs}"}}\n'
    words = ("record", tmp_path / "set", "--person", "anna", "--config")
    result = run(*words, configured(tmp_path, on), answers="q\n")
    assert "refusedSessionsPerAddress = 20" in result.stderr
    assert "args.framesCount = 20" in result.stderr
    assert "[1/11] live: anna in person, 3 to do." in result.stdout
    assert "lunapass evaluate --sessions" in result.stdout
    quiet = on + "[MIDDLEWARES.WS.AggregateLiveness]\nisEnabled = 1\nargs = {framesCount = 20}\n"
    quiet += "[LIMITS]\nrefusedSessionsPerAddress = 0\n"
    assert run(*words, configured(tmp_path, quiet), answers="q\n").stderr == ""
