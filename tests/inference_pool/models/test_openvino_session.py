"""Networks on OpenVINO: the same numbers, only in the caller's thread, without telemetry."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference_pool.models import openvino_session, runtimes
from inference_pool.models.manifest import ModelSpec, load_manifest
from inference_pool.models.openvino_session import OpenVinoSession
from inference_pool.models.session import ModelSession

ROOT = Path(__file__).parents[3]
NETWORKS = {
    role: spec for role, spec in load_manifest().reference.items() if spec.file.endswith(".onnx")
}

pytestmark = pytest.mark.skipif(
    not openvino_session.installed(), reason="the extra 'openvino' is not installed"
)


def picture(spec: ModelSpec, session: ModelSession) -> np.ndarray:
    """Return random pixels for a network's input."""
    shape = [size if isinstance(size, int) else 1 for size in session.get_inputs()[0].shape]
    highest = 255 if "0..255" in spec.input else 1
    pixels: np.ndarray = np.random.default_rng(0).random(shape, np.float32) * np.float32(highest)
    return pixels


@pytest.fixture
def relu(prelu_network) -> OpenVinoSession:
    """Return a network that keeps positive values and replaces others by zero."""
    return OpenVinoSession(prelu_network((0.0,)))


@pytest.mark.parametrize("role", NETWORKS)
def test_same_numbers_as_onnxruntime(models_directory, role):
    """Names, shapes and values are those of the CPU provider, to 1e-4 of the largest value.

    The channels of an image come last, as the runtime reads them, whatever the model's own order.
    """
    spec = NETWORKS[role]
    path = models_directory / spec.file
    if not path.is_file():
        pytest.skip(f"{spec.file} is missing")
    ours, other = (runtimes.start(name, path.read_bytes()) for name in ("openvino", "cpu"))
    pixels = picture(spec, other)
    feed = {other.get_inputs()[0].name: pixels}
    arranged = pixels.transpose(0, 2, 3, 1) if pixels.shape[1] == 3 else pixels
    assert [tensor.name for tensor in ours.get_inputs()] == list(feed)
    assert ours.get_inputs()[0].shape == list(arranged.shape)
    names = [tensor.name for tensor in other.get_outputs()]
    assert [tensor.name for tensor in ours.get_outputs()] == names
    turned = dict.fromkeys(feed, arranged)
    for got, expected in zip(ours.run(None, turned), other.run(None, feed), strict=True):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
    (last,) = ours.run(names[-1:], turned)
    assert np.allclose(last, expected, atol=1e-4 * max(1, np.abs(expected).max()))


def test_a_reused_input_is_read_again(relu):
    """The caller's array is the network's input; earlier outputs do not change."""
    pixels = np.full((1, 1, 4, 4), 2, np.float32)
    (first,) = relu.run(None, {"x": pixels})
    pixels[:] = 3
    (second,) = relu.run(["y"], {"x": pixels})
    pixels[:] = -3
    (third,) = relu.run(None, {"x": pixels})
    assert (first.max(), second.max(), third.max()) == (2, 3, 0)


def test_any_array_is_read_correctly(relu):
    """Arrays in another order, read-only arrays and integer arrays."""
    odd = np.arange(32, dtype=np.float32).reshape(4, 1, 2, 4).transpose(1, 2, 0, 3)[:, :1]
    frozen = np.full((1, 1, 4, 4), 5, np.float32)
    frozen.flags.writeable = False
    for pixels in (odd, frozen, np.full((1, 1, 4, 4), 7, np.int32), odd):
        (answer,) = relu.run(None, {"x": pixels})
        assert np.array_equal(answer, pixels)


def test_only_the_thread_of_the_caller_works(models_directory):
    """It does all of the work, and the CPUs it may use stay the same."""
    allowed = os.sched_getaffinity(0)
    spec = NETWORKS["mesh"]
    session = OpenVinoSession((models_directory / spec.file).read_bytes())
    feed = {session.get_inputs()[0].name: picture(spec, session)}
    own, whole = time.thread_time(), time.process_time()
    for _ in range(100):
        session.run(None, feed)
    own, whole = time.thread_time() - own, time.process_time() - whole
    assert own >= 0.95 * whole
    assert os.sched_getaffinity(0) == allowed


@contextlib.contextmanager
def listener() -> Iterator[socket.socket]:
    """A proxy that receives any connection to the outside."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(2)
        yield server


def asks(server: socket.socket, program: str, home: Path) -> bool:
    """Run a program; return whether it contacted the proxy until two seconds after its end."""
    home.mkdir()
    proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"HOME": str(home), "https_proxy": proxy},
        timeout=60,
        check=True,
    )
    try:
        connection, _ = server.accept()
    except TimeoutError:
        return False
    connection.close()
    return True


def test_no_telemetry_is_sent(tmp_path, prelu_network):
    """OpenVINO by itself reports its import and writes an identifier.

    Loaded by the product it does neither.
    """
    (tmp_path / "model.onnx").write_bytes(prelu_network((0.0,)))
    ours = (
        "from inference_pool.models.openvino_session import OpenVinoSession\n"
        f"OpenVinoSession(open({str(tmp_path / 'model.onnx')!r}, 'rb').read())"
    )
    with listener() as server:
        assert asks(server, "import openvino, time; time.sleep(1)", tmp_path / "talkative")
        assert not asks(server, f"{ours}\nimport time; time.sleep(1)", tmp_path / "silent")
    assert list((tmp_path / "talkative").iterdir())
    assert not list((tmp_path / "silent").iterdir())
