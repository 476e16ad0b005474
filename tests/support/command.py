"""The command ``lunapass`` in the test's own process: one of its own takes half a second of CPU."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from lunapass.cli import main


@dataclass(frozen=True)
class Ended:
    """What a user saw of a command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def lunapass(*words: object, folder: Path | None = None, **variables: str) -> Ended:
    """Run ``lunapass`` with these words, in a folder and with further environment variables."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr("sys.argv", ["lunapass", *map(str, words)])
        for name, value in variables.items():
            patch.setenv(name, value)
        if folder is not None:
            patch.chdir(folder)
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return Ended(ended.value.code, out.getvalue(), err.getvalue())
