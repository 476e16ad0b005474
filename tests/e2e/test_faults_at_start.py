"""A service that cannot start prints one line, ends with status 2 and leaves nothing running."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.service import KEY, ROOT

FAULTS = {
    "models missing": (
        '[WORKERS]\nbackend="onnx"\n[MODELS]\ndirectory="/nonexistent"',
        "models pull",
    ),
    "a slab larger than the memory": (
        '[TRANSPORT]\nslots=1000000000\nruntimeDirectory="RUN"',
        "TRANSPORT.slots",
    ),
    "unknown plugin": (
        '[MIDDLEWARES.WS."nowhere.at_all:Plugin"]\nisEnabled=1',
        "nowhere.at_all:Plugin",
    ),
    "argument of a user's plugin": (
        '[MIDDLEWARES.WS."tests.support.plugins:Oracle"]\nisEnabled=1\nargs.patience="long"',
        '[MIDDLEWARES.WS."tests.support.plugins:Oracle"] args.patience',
    ),
}


def start(tmp_path: Path, port: int, settings: str) -> subprocess.CompletedProcess[str]:
    """Run the service until it exits."""
    config = tmp_path / "config.toml"
    run = tmp_path / "r"
    settings = settings.replace("RUN", str(run))
    if "[TRANSPORT]" not in settings:
        settings += f'\n[TRANSPORT]\nruntimeDirectory="{run}"\n'
    if "[WORKERS]" not in settings:
        settings += '\n[WORKERS]\ncount=1\nbackend="tests.support.stamp:StampBackend"\n'
    config.write_text(
        f'[LUNA_PASS]\nhost="127.0.0.1"\nport={port}\n[LUNA_PASS.JWT]\nkey="{KEY}"\n{settings}'
    )
    return subprocess.run(
        [sys.executable, "-m", "lunapass", "run", "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_at_start_up_is_explained(tmp_path: Path, name: str) -> None:
    """The line says what to set or to run."""
    settings, expected = FAULTS[name]
    ended = start(tmp_path, free_port(), settings)
    assert ended.returncode == 2
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    """The port is in the message."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ended = start(tmp_path, port, "")
    assert ended.returncode == 2
    assert str(port) in ended.stderr
    assert "in use" in ended.stderr
