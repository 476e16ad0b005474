"""Detects the set of models in a directory and loads verified files as sessions.

A file whose SHA-256 differs from the manifest is never loaded: the runtime gets the same bytes that
were hashed.
"""

import hashlib
import logging
from pathlib import Path

from inference_pool.models import openvino_session, runtimes
from inference_pool.models.manifest import Kind, Manifest, ModelSpec, load_manifest
from inference_pool.models.session import ModelSession
from shared.errors import ModelError

log = logging.getLogger(__name__)

_MAX_ERROR_CHARS = 300
"""Maximum length of a runtime's error message in ours."""


def find_kind(directory: Path, manifest: Manifest) -> Kind:
    """Detect which set a directory has.

    It is the fallback set only if no required file of the reference set exists: a reference set
    with a missing file is an error, not a reason to judge with weaker models.
    """
    if _any_present(directory, manifest.reference):
        return Kind.REFERENCE
    return Kind.FALLBACK if _any_present(directory, manifest.fallback) else Kind.REFERENCE


def _any_present(directory: Path, models: dict[str, ModelSpec]) -> bool:
    return any((directory / spec.file).is_file() for spec in models.values() if spec.required)


def read_verified(path: Path, sha256: str, role: str) -> bytes:
    """Read a model file and verify its hash; the error names the role.

    Raises:
        ModelError: the file is missing, unreadable or differs from the manifest.
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


class _LoadError(ModelError):
    """A runtime cannot load a verified file."""


class ModelStore:
    """The models of one directory.

    Args:
        provider: ``cpu`` and ``cuda`` run every model on that provider of onnxruntime; ``auto``
            and ``openvino`` run each on the provider in the manifest. Without OpenVINO, ``auto``
            uses the CPU provider and ``openvino`` fails.
        variants: on the CPU, load the faster variant of a model if there is one.
        manifest: the expected files; the package's by default.
        embeddings: let the liveness networks output their embeddings too, after their logits.

    Attributes:
        loaded: SHA-256 of each file requested so far, by role; for a variant, of its original,
            because both compute the same.

    Raises:
        ModelError: a required file is missing, or the provider cannot be used.
    """

    def __init__(
        self,
        directory: str | Path,
        provider: str = "auto",
        variants: bool = True,
        manifest: Manifest | None = None,
        *,
        embeddings: bool = False,
    ) -> None:
        self._directory = Path(directory)
        self._provider = provider
        self._variants = variants
        self._embeddings = embeddings
        manifest = manifest or load_manifest()
        self.kind = find_kind(self._directory, manifest)
        self._models = manifest.models(self.kind)
        self._sessions: dict[str, ModelSession] = {}
        self.loaded: dict[str, str] = {}
        self._on_cpu = self._without_openvino()
        self._require_files()

    def available(self, role: str) -> bool:
        """Return whether the set has this role and its file exists."""
        return role in self._models and (self._directory / self._models[role].file).is_file()

    def path(self, role: str) -> Path:
        """Return the path of a role's file, after verifying the file.

        Raises:
            ModelError: the set has no such role, or the file is missing or differs from the
                manifest.
        """
        spec = self._spec(role)
        path = self._directory / spec.file
        read_verified(path, spec.sha256, role)
        self.loaded[role] = spec.sha256
        return path

    def session(self, role: str) -> ModelSession:
        """Return a role's network; load it on the first call.

        Raises:
            ModelError: the set has no such role, the file is missing or differs from the manifest,
                or the runtime cannot load it.
        """
        if role not in self._sessions:
            spec = self._spec(role)
            self._sessions[role] = self._load(spec)
            self.loaded[role] = spec.sha256
        return self._sessions[role]

    def provider(self, role: str) -> str:
        """Return the provider that runs a role: ``cpu``, ``openvino`` or ``cuda``."""
        if self._provider in ("cpu", "cuda"):
            return self._provider
        return "cpu" if role in self._on_cpu else self._spec(role).provider

    def _spec(self, role: str) -> ModelSpec:
        if role not in self._models:
            raise ModelError(
                f"model {role}: not in the {self.kind} set of {self._directory};"
                f" it has {', '.join(self._models)}"
            )
        return self._models[role]

    def _load(self, spec: ModelSpec) -> ModelSession:
        provider = self.provider(spec.role)
        try:
            return self._start(spec, provider)
        except _LoadError as error:
            if self._provider != "auto" or provider == "cpu":
                raise
            log.warning("%s; it runs on the CPU provider instead", error)
            self._on_cpu.add(spec.role)
            return self._start(spec, "cpu")

    def _start(self, spec: ModelSpec, provider: str) -> ModelSession:
        path, sha256 = self._file(spec, provider)
        data = read_verified(path, sha256, spec.role)
        try:
            if self._embeddings and spec.embedding:
                data = _with_embedding(data, spec.embedding)
            return runtimes.start(provider, data)
        except Exception as error:  # the runtimes' errors share no base class
            reason = " ".join(str(error).split())[:_MAX_ERROR_CHARS]
            raise _LoadError(
                f"model {spec.role}: {path}: {provider} cannot load it: {reason}"
            ) from error

    def _file(self, spec: ModelSpec, provider: str) -> tuple[Path, str]:
        """Choose the variant if it is wanted and exists, else the original."""
        if provider == "cpu" and self._variants and spec.variant and spec.variant_sha256:
            variant = self._directory / spec.variant
            if variant.is_file():
                return variant, spec.variant_sha256
        return self._directory / spec.file, spec.sha256

    def _without_openvino(self) -> set[str]:
        """Return the roles that ``auto`` must run on the CPU provider for lack of OpenVINO."""
        if self._provider != "auto":
            if (reason := runtimes.lacking(self._provider)) is not None:
                raise ModelError(f"MODELS.provider: found {self._provider!r}; {reason}")
            return set()
        wanting = {role for role, spec in self._models.items() if spec.provider == "openvino"}
        if not wanting or (reason := runtimes.lacking("openvino")) is None:
            return set()
        level = logging.WARNING if openvino_session.installed() else logging.INFO
        log.log(level, "MODELS.provider is 'auto': all models run on the CPU provider: %s", reason)
        return wanting

    def _require_files(self) -> None:
        for role, spec in self._models.items():
            path = self._directory / spec.file
            if spec.required and not path.is_file():
                raise ModelError(
                    f"model {role}: {path}: found no such file; expected {spec.bytes} bytes with"
                    f" sha256 {spec.sha256}; run 'lunapass models pull'"
                )


def _with_embedding(model: bytes, tensor: str) -> bytes:
    """Add a tensor, an output of one of its nodes, to the end of a network's outputs.

    No node changes, so the other outputs keep their values.

    Raises:
        ValueError: the network has no such tensor.
    """
    import onnx  # 8 MB, rarely needed

    network = onnx.load_model_from_string(model)
    if not any(tensor in node.output for node in network.graph.node):
        raise ValueError(f"the network has no tensor {tensor!r}")
    network.graph.output.append(onnx.ValueInfoProto(name=tensor))
    return bytes(network.SerializeToString())
