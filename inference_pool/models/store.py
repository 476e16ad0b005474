"""The store: finds the set of models in a directory and loads verified files as sessions.

A file whose SHA-256 is not the manifest's is never loaded: the bytes that are hashed are the
bytes that the runtime gets.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import onnxruntime

from inference_pool.models.manifest import Kind, Manifest, ModelSpec, load_manifest
from shared.errors import ModelError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
"""Names of ``MODELS.provider`` and the runtime's names for them."""

_PROVIDER_OPTIONS: dict[str, dict[str, str]] = {
    "cpu": {},
    "openvino": {"device_type": "CPU", "precision": "FP32", "num_of_threads": "1"},
    "cuda": {},
}
_PASSIVE = ("liveness_v2", "liveness_v1se")


def find_kind(directory: Path, manifest: Manifest) -> Kind:
    """Tell which set a directory holds.

    The fallback set counts only where no required file of the reference set is present: a
    reference set that lost a file is a fault to tell, not a reason to judge with less.
    """
    if _any_present(directory, manifest.reference):
        return Kind.REFERENCE
    return Kind.FALLBACK if _any_present(directory, manifest.fallback) else Kind.REFERENCE


def _any_present(directory: Path, models: dict[str, ModelSpec]) -> bool:
    return any((directory / spec.file).is_file() for spec in models.values() if spec.required)


def read_verified(path: Path, sha256: str, role: str) -> bytes:
    """Read a model file and prove that it is the one of the manifest.

    Args:
        path: the file.
        sha256: expected hash, in hexadecimal.
        role: the model's role, for the error.

    Returns:
        The file's bytes.

    Raises:
        ModelError: the file is missing, unreadable or a different one.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        found = "no such file"
    except OSError as error:
        found = f"unreadable ({error.strerror})"
    else:
        digest = hashlib.sha256(data).hexdigest()
        if digest == sha256:
            return data
        found = f"{len(data)} bytes with sha256 {digest}"
    raise ModelError(
        f"model {role}: {path}: found {found}; expected sha256 {sha256}; run 'lunapass models pull'"
    )


class ModelStore:
    """The models of one directory.

    Args:
        directory: folder of the model files.
        provider: execution provider: ``cpu``, ``openvino``, ``cuda``, or ``auto``, which takes for
            each model the one the manifest names if it is installed, else the CPU.
        rewrite_prelu: on the CPU, load the variant with rewritten PReLU where there is one.
        manifest: what the files have to be; that of the package by default.

    Attributes:
        kind: which of the manifest's sets the directory holds.
        passive_liveness: whether the set can tell a live face from a picture of one.

    Raises:
        ModelError: a required file is missing, or the provider is not installed.
    """

    def __init__(
        self,
        directory: str | Path,
        provider: str = "auto",
        rewrite_prelu: bool = True,
        manifest: Manifest | None = None,
    ) -> None:
        self._directory = Path(directory)
        self._provider = provider
        self._rewrite_prelu = rewrite_prelu
        manifest = manifest or load_manifest()
        self.kind = find_kind(self._directory, manifest)
        self._models = manifest.models(self.kind)
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self.passive_liveness = all(self.available(role) for role in _PASSIVE)
        self._require_provider()
        self._require_files()

    def available(self, role: str) -> bool:
        """Tell whether the set has this role and its file is present."""
        return role in self._models and (self._directory / self._models[role].file).is_file()

    def path(self, role: str) -> Path:
        """Answer the path of a role's file, after verifying the file.

        Raises:
            ModelError: the set has no such role, or the file is missing or a different one.
        """
        spec = self._spec(role)
        path = self._directory / spec.file
        read_verified(path, spec.sha256, role)
        return path

    def session(self, role: str) -> onnxruntime.InferenceSession:
        """Load a role's network, once: one thread, no spinning, sequential.

        Raises:
            ModelError: the set has no such role, the file is missing or a different one, or the
                runtime cannot load it.
        """
        if role not in self._sessions:
            self._sessions[role] = self._load(self._spec(role))
        return self._sessions[role]

    def provider(self, role: str) -> str:
        """Name the provider that runs a role: ``cpu``, ``openvino`` or ``cuda``."""
        if self._provider != "auto":
            return self._provider
        wanted = self._spec(role).provider
        installed = PROVIDERS[wanted] in onnxruntime.get_available_providers()
        return wanted if installed else "cpu"

    def _spec(self, role: str) -> ModelSpec:
        if role not in self._models:
            raise ModelError(
                f"model {role}: not in the {self.kind} set of {self._directory};"
                f" it has {', '.join(self._models)}"
            )
        return self._models[role]

    def _load(self, spec: ModelSpec) -> onnxruntime.InferenceSession:
        provider = self.provider(spec.role)
        path, sha256 = self._file(spec, provider)
        data = read_verified(path, sha256, spec.role)
        providers = [(PROVIDERS[provider], _PROVIDER_OPTIONS[provider])]
        try:
            return onnxruntime.InferenceSession(data, _session_options(), providers=providers)
        except Exception as error:  # the runtime's errors share no base class
            raise ModelError(
                f"model {spec.role}: {path}: {provider} cannot load it: {error}"
            ) from error

    def _file(self, spec: ModelSpec, provider: str) -> tuple[Path, str]:
        """Choose between the original and the variant; the variant may be missing."""
        variant = self._directory / spec.variant
        if provider == "cpu" and self._rewrite_prelu and spec.prelu_sha256 and variant.is_file():
            return variant, spec.prelu_sha256
        return self._directory / spec.file, spec.sha256

    def _require_provider(self) -> None:
        if self._provider == "auto":
            return
        installed = onnxruntime.get_available_providers()
        allowed = [name for name, spelled in PROVIDERS.items() if spelled in installed]
        if self._provider not in allowed:
            raise ModelError(
                f"MODELS.provider: found {self._provider!r}; the installed onnxruntime allows"
                f" {', '.join(['auto', *allowed])}"
            )

    def _require_files(self) -> None:
        for role, spec in self._models.items():
            path = self._directory / spec.file
            if spec.required and not path.is_file():
                raise ModelError(
                    f"model {role}: {path}: found no such file; expected {spec.bytes} bytes with"
                    f" sha256 {spec.sha256}; run 'lunapass models pull'"
                )


def _session_options() -> Any:  # the runtime has no type hints
    """One thread that sleeps when it waits: the worker process is pinned to one CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options
