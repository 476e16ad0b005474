"""The demonstration writes a configuration that can be read, and names each answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lunapass.demo import _hints, write_config
from lunapass_client import Answer
from shared.errors import ResourceError
from shared.wire.protocol import Command


def test_any_name_of_a_folder(tmp_path: Path) -> None:
    """Quotes and backslashes are part of a name."""
    models = tmp_path / 'mo"de\\ls'
    config = write_config(tmp_path / 'a"b' / "config.toml", models, 1234, passive=True)
    assert config.MODELS.directory == str(models)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is one line."""
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="give another --output"):
        write_config(tmp_path / "file" / "config.toml", tmp_path, 1234, passive=True)


@pytest.mark.parametrize(
    ("command", "headers", "body", "shown"),
    [
        (Command.STATUS, {}, {"isOk": True, "errors": [], "details": {}}, "all checks passed"),
        (Command.DROPPED, {"reason": "deadline"}, None, "DROPPED deadline"),
        (Command.ERROR, {}, {"code": "session.full", "message": ""}, "ERROR session.full"),
    ],
)
def test_only_a_status_without_codes_has_passed(
    command: Command, headers: dict[str, Any], body: Any, shown: str
) -> None:
    """A frame that was not judged has not."""
    assert _hints(Answer(command, headers, body)) == shown
