"""OpenVINO generates code: the units forbid that unless the configuration names it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from inference_pool.models import openvino_session
from tests.machines.machine import CONFIG, PYTHON, SOURCE, Machine, booted, wait_until
from tests.support.service import ROOT

WORKER = re.compile(r"lunapass-worker@\d+\.service\.d")
PROGRAM = f"{PYTHON} -m lunapass"

pytestmark = [
    pytest.mark.skipif(
        not openvino_session.installed(), reason="the extra 'openvino' is not installed"
    ),
    pytest.mark.skipif(
        not (ROOT / "models/yunet_s_320_320.onnx").exists(), reason="no reference models"
    ),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted(tmp_path_factory.mktemp("etc")) as started:
        yield started


def start_worker(machine: Machine, provider: str) -> str:
    """Install the units for a provider and start a worker; return its loaded libraries."""
    machine.configure(f'[MODELS]\ndirectory = "{SOURCE}/models"\nprovider = "{provider}"')
    path = machine.etc / "lunapassapi.config.toml"
    path.write_text(path.read_text().replace("tests.support.stamp:StampBackend", "onnx"))
    machine.lunapass("install-units", "--config", CONFIG, "--program", PROGRAM)
    machine.systemctl("daemon-reload")
    units = machine.run("ls", "/etc/systemd/system").split()
    (unit, *_) = (name.removesuffix(".d") for name in units if WORKER.fullmatch(name))
    machine.systemctl("restart", unit)
    wait_until(lambda: machine.active(unit), unit)
    libraries = machine.run("cat", f"/proc/{machine.show(unit, 'MainPID')}/maps")
    machine.systemctl("stop", unit)
    return libraries


def test_auto_stays_with_onnxruntime(machine: Machine) -> None:
    """The worker of the hardened unit starts, warns once, and never loads OpenVINO."""
    libraries = start_worker(machine, "auto")
    assert "onnxruntime" in libraries
    assert "openvino" not in libraries
    lines = [line for line in machine.log().splitlines() if "MemoryDenyWriteExecute" in line]
    assert len(lines) == 1, machine.log()
    assert "warning" in lines[0].lower()


def test_openvino_by_name_may_generate_code(machine: Machine) -> None:
    """Units for ``provider = "openvino"`` let the worker compile its networks."""
    assert "libopenvino_intel_cpu_plugin" in start_worker(machine, "openvino")
