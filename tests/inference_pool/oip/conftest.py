"""Real inference servers (MLServer) with the product's ONNX models behind them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference_pool.models.manifest import load_manifest
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
RUNTIME = ROOT / "tests" / "support" / "oip_server"
ENVIRONMENT = ROOT / "build" / "mlserver-venv"
PACKAGES = ("mlserver==1.7.1", "onnxruntime==1.32.0")


@pytest.fixture(scope="session")
def mlserver() -> Path:
    """The server's program, in its own environment because its pins conflict with ours."""
    program = ENVIRONMENT / "bin" / "mlserver"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with (ENVIRONMENT.parent / "mlserver.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
            pip = [ENVIRONMENT / "bin" / "pip", "install", "--quiet", *PACKAGES]
            installed = subprocess.run(pip, capture_output=True, text=True)
            if installed.returncode:
                pytest.skip(f"MLServer cannot be installed here: {installed.stderr[-300:]}")
    return program


@dataclass
class Server:
    """A running server."""

    address: str
    http: int
    directory: Path
    process: subprocess.Popen[bytes]

    def delay(self, seconds: float) -> None:
        """Delay every further answer by this time."""
        (self.directory / "delay").write_text(str(seconds))

    def spoil(self) -> None:
        """Answer NaN from now on."""
        (self.directory / "spoil").touch()

    def mend(self) -> None:
        """Undo ``delay`` and ``spoil``."""
        for name in ("delay", "spoil"):
            (self.directory / name).unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 90
        url = f"http://127.0.0.1:{self.http}/v2/health/ready"
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.directory / "log").read_text()[-3000:]
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.2)
        raise AssertionError("the inference server is not ready")


@pytest.fixture(scope="module")
def start(
    mlserver: Path, models_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Start servers; ``without`` names roles that they do not serve. All end with the module."""
    started: list[Server] = []

    def start(*, without: tuple[str, ...] = ()) -> Server:
        directory = tmp_path_factory.mktemp("oip")
        http, grpc, metrics = free_port(), free_port(), free_port()
        settings = {
            "host": "127.0.0.1",
            "http_port": http,
            "grpc_port": grpc,
            "metrics_port": metrics,
            "parallel_workers": 0,
            "debug": False,
        }
        (directory / "settings.json").write_text(json.dumps(settings))
        for role, spec in load_manifest().reference.items():
            if role in without or spec.on_request or not spec.file.endswith(".onnx"):
                continue
            (directory / role).mkdir()
            model = {
                "name": role,
                "implementation": "onnx_model.OnnxModel",
                "parameters": {"uri": str(models_directory / spec.file)},
            }
            (directory / role / "model-settings.json").write_text(json.dumps(model))
        environment = {
            **os.environ,
            "PYTHONPATH": str(RUNTIME),
            "DELAY_FILE": str(directory / "delay"),
            "SPOIL_FILE": str(directory / "spoil"),
        }
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [mlserver, "start", directory], env=environment, stdout=log, stderr=log
            )
        server = Server(f"grpc://127.0.0.1:{grpc}", http, directory, process)
        started.append(server)
        server.wait_ready()
        return server

    yield start
    for server in started:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
