"""The runtimes of networks: onnxruntime, always installed, and OpenVINO, an extra."""

from typing import Any

import onnxruntime

from inference_pool.models import openvino_session
from inference_pool.models.session import ModelSession

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""onnxruntime's name of each value of ``MODELS.provider`` that it serves."""


def start(provider: str, model: bytes) -> ModelSession:
    """Load a serialised ONNX model with a provider: ``cpu``, ``cuda`` or ``openvino``.

    Raises:
        Exception: the runtime cannot load it; the runtimes' errors share no base class.
    """
    if provider == "openvino":
        return openvino_session.OpenVinoSession(model)
    session: ModelSession = onnxruntime.InferenceSession(
        model, _options(), providers=[_PROVIDERS[provider]]
    )
    return session


def lacking(provider: str) -> str | None:
    """Return why this process cannot use a provider; None if it can."""
    if provider == "openvino":
        return openvino_session.lacking()
    if _PROVIDERS[provider] in onnxruntime.get_available_providers():
        return None
    return "the installed onnxruntime does not have it; choose another"


def _options() -> Any:  # the runtime has no type hints
    """Use one thread without spinning, because the worker process is pinned to one CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
