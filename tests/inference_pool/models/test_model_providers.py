"""Which runtime a model gets: OpenVINO if it works, and what happens if it does not."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from inference_pool.models import openvino_session
from inference_pool.models.manifest import Manifest
from inference_pool.models.openvino_session import OpenVinoSession
from inference_pool.models.pulling.prelu import rewrite
from inference_pool.models.store import ModelStore
from shared.errors import ModelError

ROOT = Path(__file__).parents[3]
needs_openvino = pytest.mark.skipif(
    not openvino_session.installed(), reason="the extra 'openvino' is not installed"
)


def determinant_network() -> bytes:
    """Build a network that onnxruntime runs and OpenVINO does not support."""
    graph = helper.make_graph(
        [helper.make_node("Det", ["x"], ["y"])],
        "determinant",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@pytest.fixture
def mixed(manifest: Manifest) -> Callable[..., Manifest]:
    """The small manifest on OpenVINO, with its detector or a file of other bytes in its place."""

    def make(data: bytes | None = None) -> Manifest:
        changes = {"provider": "openvino"}
        if data is not None:
            changes |= {"sha256": hashlib.sha256(data).hexdigest()}
        detector = manifest.reference["detector"].model_copy(update=changes)
        return manifest.model_copy(
            update={"reference": manifest.reference | {"detector": detector}}
        )

    return make


@needs_openvino
@pytest.mark.parametrize("provider", ["auto", "openvino"])
def test_the_manifest_selects_the_runtime_of_a_model(tmp_path, mixed, fill, provider):
    """OpenVINO gets the original of the model that it makes faster; others run on the CPU."""
    fill(tmp_path)
    (tmp_path / "detector.prelu.onnx").write_bytes(b"of no use to OpenVINO")
    store = ModelStore(tmp_path, provider, manifest=mixed())
    assert (store.provider("detector"), store.provider("glasses")) == ("openvino", "cpu")
    assert isinstance(store.session("detector"), OpenVinoSession)
    assert isinstance(store.session("glasses"), onnxruntime.InferenceSession)
    assert store.session("detector") is store.session("detector")


def test_with_cpu_no_model_runs_on_openvino(tmp_path, mixed, fill):
    """The CPU provider runs all."""
    store = ModelStore(fill(tmp_path), "cpu", manifest=mixed())
    assert isinstance(store.session("detector"), onnxruntime.InferenceSession)


def test_missing_cuda_is_an_error(tmp_path, mixed, fill):
    """The error names the setting, what was found and what is wrong with it."""
    with pytest.raises(ModelError, match=r"MODELS\.provider: found 'cuda'; .* does not have it"):
        ModelStore(fill(tmp_path), "cuda", manifest=mixed())


def test_a_missing_openvino_is_reported(tmp_path, mixed, fill, monkeypatch, caplog):
    """``auto`` runs everything on the CPU and only mentions it.

    ``openvino`` refuses, with the remedy.
    """
    monkeypatch.setitem(sys.modules, "openvino", None)  # as if it were not installed
    caplog.set_level(logging.INFO)
    fill(tmp_path)
    store = ModelStore(tmp_path, manifest=mixed())
    assert store.provider("detector") == "cpu"
    assert isinstance(store.session("detector"), onnxruntime.InferenceSession)
    (record,) = caplog.records
    assert (record.levelname, "open-lunapass[openvino]" in record.message) == ("INFO", True)
    with pytest.raises(ModelError, match=r"found 'openvino'; .*open-lunapass\[openvino\]"):
        ModelStore(tmp_path, "openvino", manifest=mixed())


@needs_openvino
def test_a_network_that_openvino_cannot_compile(tmp_path, mixed, fill, caplog):
    """``auto`` runs this one on the CPU, with one warning; ``openvino`` refuses."""
    data = determinant_network()
    (fill(tmp_path) / "detector.onnx").write_bytes(data)
    store = ModelStore(tmp_path, manifest=mixed(data))
    assert isinstance(store.session("detector"), onnxruntime.InferenceSession)
    assert store.provider("detector") == "cpu"
    (record,) = caplog.records
    assert "model detector" in record.message
    assert "Det" in record.message
    with pytest.raises(ModelError, match="openvino cannot load it"):
        ModelStore(tmp_path, "openvino", manifest=mixed(data)).session("detector")


@needs_openvino
def test_a_changed_original_is_not_replaced_by_its_variant(tmp_path, mixed, fill, files):
    """It is refused even if there is a good variant for the CPU."""
    fill(tmp_path)
    (tmp_path / "detector.prelu.onnx").write_bytes(rewrite(files["detector.onnx"]))
    (tmp_path / "detector.onnx").write_bytes(files["spare.onnx"])
    with pytest.raises(ModelError, match="expected sha256"):
        ModelStore(tmp_path, manifest=mixed()).session("detector")


IRIS = """
import ctypes, logging, sys
logging.basicConfig(format="%(levelname)s %(message)s")
if {sealed}:
    failed = ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    failed and sys.exit(77)
from inference_pool.models.store import ModelStore
from shared.errors import ModelError
try:
    session = ModelStore({directory!r}, {provider!r}).session("iris")
    print(type(session).__name__, "openvino" in sys.modules)
except ModelError as error:
    print("refused:", error)
"""


def load_iris(directory: Path, provider: str, *, sealed: bool = False, path: str = "") -> str:
    """Load a real model in a separate process and return its output.

    ``sealed`` does what MemoryDenyWriteExecute=yes does, if the kernel supports it.
    """
    program = IRIS.format(sealed=sealed, directory=str(directory), provider=provider)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this kernel cannot deny memory that is written and executed")
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


@needs_openvino
def test_openvino_is_not_loaded_if_code_generation_is_forbidden(models_directory):
    """Under MemoryDenyWriteExecute ``auto`` warns once."""
    output = load_iris(models_directory, "auto", sealed=True)
    assert output.count("WARNING") == 1
    for part in ("MemoryDenyWriteExecute", "install-units", "InferenceSession False"):
        assert part in output
    refused = load_iris(models_directory, "openvino", sealed=True)
    assert "refused: MODELS.provider: found 'openvino'" in refused
    assert "OpenVinoSession True" in load_iris(models_directory, "openvino")


@needs_openvino
def test_a_broken_installation_of_openvino(models_directory, tmp_path):
    """If its libraries do not load, ``auto`` warns once and continues, ``openvino`` refuses."""
    (tmp_path / "openvino.py").write_text("raise ImportError('libtbb.so.12: no such file')")
    output = load_iris(models_directory, "auto", path=str(tmp_path))
    assert output.count("WARNING") == 1
    assert "libtbb.so.12" in output
    assert "InferenceSession" in output
    refused = load_iris(models_directory, "openvino", path=str(tmp_path))
    assert "refused: MODELS.provider: found 'openvino'; OpenVINO cannot be imported" in refused
