"""A model on the OpenVINO runtime, with the few methods of a session that ``Network`` uses.

OpenVINO compiles a network into machine code when it is loaded. That makes the face networks about
twice as fast as onnxruntime does, needs memory that is both written and executed, and is optional:
the package comes with the extra ``openvino``.
"""

from __future__ import annotations

import importlib
import importlib.util
import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference_pool.models.session import Described, Floats, Port

PACKAGE = "openvino"
_TELEMETRY = "openvino_telemetry"
_CONFIG = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    "ENABLE_CPU_PINNING": False,
    "INFERENCE_PRECISION_HINT": "f32",
}
"""The caller's thread alone, on whichever CPU the process is pinned to, in full precision."""


class OpenVinoSession(Described):
    """Runs one network on one thread, the caller's.

    Args:
        model: the network, a serialised ONNX model; dimensions that it leaves open become 1.

    Raises:
        Exception: the runtime is not there or cannot compile the network; its errors share no base
            class.
    """

    def __init__(self, model: bytes) -> None:
        self._runtime = runtime()
        core = self._runtime.Core()
        network = core.read_model(model)
        network.reshape({port: _fixed(port) for port in network.inputs})
        network = _channels_last(self._runtime, network)
        super().__init__(_described(network.inputs), _described(network.outputs))
        compiled = core.compile_model(network, "CPU", _CONFIG)  # that would add names to outputs
        self._request = compiled.create_infer_request()
        self._results = {port.any_name: self._bind_output(port) for port in network.outputs}
        self._request.infer()  # some of its code is made at the first run
        self._bound: dict[str, Floats] = {}

    def run(self, names: Sequence[str] | None, feed: dict[str, Floats]) -> list[Floats]:
        """Run the network on one batch.

        Args:
            names: outputs wanted; None for all, in the model's order.
            feed: the inputs by name. An array that is given again, filled anew, is not copied.

        Returns:
            The outputs, which no later run changes.
        """
        for name, values in feed.items():
            if self._bound.get(name) is not values:
                self._bind_input(name, values)
        self._request.infer(share_outputs=True)
        wanted = self._results if names is None else names
        return [self._results[name].copy() for name in wanted]

    def _bind_output(self, port: Any) -> Floats:
        """Let the network write an output to memory of ours."""
        values: Floats = np.empty(_fixed(port), np.float32)
        self._request.set_tensor(port.any_name, self._runtime.Tensor(values, shared_memory=True))
        return values

    def _bind_input(self, name: str, values: Floats) -> None:
        """Let the network read its input from the caller's memory."""
        shared = np.require(values, np.float32, ["C", "W"])  # a copy where it is not so
        self._request.set_tensor(name, self._runtime.Tensor(shared, shared_memory=True))
        self._bound[name] = shared


def runtime() -> Any:
    """Import the runtime, without its telemetry.

    When it is imported, OpenVINO would write an identifier into the home folder and tell Google
    Analytics; a package of telemetry that cannot be imported counts as not installed.

    Raises:
        ImportError: the runtime is not installed, or its libraries do not load.
    """
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's way to forbid an import
    return importlib.import_module(PACKAGE)


def installed() -> bool:
    """Tell whether the extra is installed, without loading it."""
    return importlib.util.find_spec(PACKAGE) is not None


def lacking() -> str | None:
    """Tell what keeps the runtime from working in this process, and the remedy; None if nothing."""
    if not installed():
        return "OpenVINO is not installed; pip install 'open-lunapass[openvino]'"
    if not _may_make_code():
        return (
            "OpenVINO may not make code: memory that is written cannot be executed, as with"
            " MemoryDenyWriteExecute=yes in a unit; for speed set MODELS.provider = 'openvino' and"
            " run 'lunapass install-units' again, or set 'cpu' to keep it so"
        )
    try:
        runtime()
    except Exception as error:  # of a faulty installation: ImportError, OSError, RuntimeError
        return f"OpenVINO cannot be imported: {error}; install it again, or set 'cpu'"
    return None


def _may_make_code() -> bool:
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=everything).close()
    except OSError:
        return False
    return True


def _channels_last(ov: Any, network: Any) -> Any:
    """Let the network take its pictures with the channels last, as its kernels want them.

    Else it would put every picture in order anew.
    """
    order = ov.preprocess.PrePostProcessor(network)
    for number, port in enumerate(network.inputs):
        if len(port.shape) == 4 and port.shape[1] == 3:
            order.input(number).tensor().set_layout(ov.Layout("NHWC"))
            order.input(number).model().set_layout(ov.Layout("NCHW"))
    return order.build()


def _fixed(port: Any) -> list[int]:
    shape = port.partial_shape
    return [size.get_length() if size.is_static else 1 for size in shape]


def _described(ports: Any) -> list[Port]:
    return [Port(port.any_name, _fixed(port)) for port in ports]
