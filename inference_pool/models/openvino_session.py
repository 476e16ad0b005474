"""A model on the OpenVINO runtime, with the session methods that ``Network`` uses.

OpenVINO compiles a network to machine code when it is loaded. The face networks are about twice as
fast as with onnxruntime. It needs memory that is both writable and executable, and is optional: the
extra ``openvino`` installs it.
"""

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
"""Only the caller's thread, on the CPU that the process is pinned to, in full precision."""


class OpenVinoSession(Described):
    """Runs one network in the caller's thread; open dimensions become 1.

    Raises:
        Exception: the runtime is missing or cannot compile the network; its errors share no base
            class.
    """

    def __init__(self, model: bytes) -> None:
        self._runtime = runtime()
        core = self._runtime.Core()
        network = core.read_model(model)
        network.reshape({port: _fixed(port) for port in network.inputs})
        network = _channels_last(self._runtime, network)
        # Described before it is compiled, which adds names to the outputs.
        super().__init__(_described(network.inputs), _described(network.outputs))
        compiled = core.compile_model(network, "CPU", _CONFIG)
        self._request = compiled.create_infer_request()
        self._results = {port.any_name: self._bind_output(port) for port in network.outputs}
        self._request.infer()  # the first run compiles some of the code
        self._bound: dict[str, Floats] = {}

    def run(self, names: Sequence[str] | None, feed: dict[str, Floats]) -> list[Floats]:
        """Run the network on one batch; return the named outputs, or all in the model's order.

        An input array that is passed again with new values is not copied. Later runs do not change
        the outputs.
        """
        for name, values in feed.items():
            if self._bound.get(name) is not values:
                self._bind_input(name, values)
        self._request.infer(share_outputs=True)
        wanted = self._results if names is None else names
        return [self._results[name].copy() for name in wanted]

    def _bind_output(self, port: Any) -> Floats:
        """Allocate the memory to which the network writes an output."""
        values: Floats = np.empty(_fixed(port), np.float32)
        self._request.set_tensor(port.any_name, self._runtime.Tensor(values, shared_memory=True))
        return values

    def _bind_input(self, name: str, values: Floats) -> None:
        """Let the network read an input from the caller's memory."""
        shared = np.require(values, np.float32, ["C", "W"])  # copies if the layout differs
        self._request.set_tensor(name, self._runtime.Tensor(shared, shared_memory=True))
        self._bound[name] = shared


def runtime() -> Any:
    """Import the runtime without its telemetry.

    On import, OpenVINO would write an identifier to the home folder and report to Google Analytics.
    It treats a telemetry package that cannot be imported as not installed.

    Raises:
        ImportError: the runtime is not installed, or its libraries do not load.
    """
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # makes its import fail
    return importlib.import_module(PACKAGE)


def installed() -> bool:
    """Return whether the extra is installed, without loading it."""
    return importlib.util.find_spec(PACKAGE) is not None


def lacking() -> str | None:
    """Return why the runtime cannot be used in this process, and the remedy; None if it can."""
    if not installed():
        return "OpenVINO is not installed; install the extra open-lunapass[openvino]"
    if not _executable_memory():
        return (
            "OpenVINO cannot compile: writable memory must not be executed here, as with"
            " MemoryDenyWriteExecute=yes in a unit; for speed set MODELS.provider = 'openvino' and"
            " run 'lunapass install-units' again, or set 'cpu' to keep it so"
        )
    try:
        runtime()
    except Exception as error:  # ImportError, OSError or RuntimeError if the installation is broken
        return f"OpenVINO cannot be imported: {error}; install it again, or set 'cpu'"
    return None


def _executable_memory() -> bool:
    """Return whether this process may have memory that is writable and executable."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    try:
        mmap.mmap(-1, mmap.PAGESIZE, prot=protection).close()
    except OSError:
        return False
    return True


def _channels_last(ov: Any, network: Any) -> Any:
    """Make the network take images with the channels last, which spares it a transposition."""
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
