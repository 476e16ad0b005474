"""The demonstration writes a valid configuration, and names each answer."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from websockets.asyncio.server import ServerConnection

from loadtest.script import BLINK
from loadtest.synthetic.look import Look
from lunapass.demo import Report, _hints, play, write_config
from lunapass_client import Answer
from shared.codes import Code
from shared.errors import ResourceError
from shared.wire.protocol import Command
from tests.support.clock import SettableClock
from tests.support.scripted import RESULT, message, service, status


def test_any_folder_name_is_escaped(tmp_path: Path) -> None:
    """Quotes and backslashes are part of a name."""
    models = tmp_path / 'mo"de\\ls'
    config = write_config(tmp_path / 'a"b' / "config.toml", models, 1234, passive=True)
    assert config.MODELS.directory == str(models)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error is one line."""
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="give another --output"):
        write_config(tmp_path / "file" / "config.toml", tmp_path, 1234, passive=True)


async def test_a_slow_machine_shows_whole_gestures() -> None:
    """The eyes are shut in several consecutive frames, although one takes longer than a blink."""
    clock, looks = SettableClock(), list[Look]()

    def render(look: Look) -> bytes:
        looks.append(look)
        clock.advance(3 * BLINK.seconds)
        return b"frame"

    async def script(socket: ServerConnection, _connect: dict[str, Any]) -> None:
        for seq in range(1, 31):
            await socket.recv()
            await socket.send(status(seq, *([Code.CLOSE_EYES] if seq < 30 else [])))
        await socket.send(message(Command.RESULT, RESULT))

    person: Any = SimpleNamespace(render_jpeg=render)
    async with service(script) as url:
        answer = await play(url, person, Report(Console(file=io.StringIO())), clock=clock)
    assert answer.command is Command.RESULT
    shut = [look.left_eye_closed == 1 for look in looks[-20:]]
    assert any(both == (True, True) for both in pairwise(shut))


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
    """A frame that was not judged has not passed."""
    assert _hints(Answer(command, headers, body)) == shown
