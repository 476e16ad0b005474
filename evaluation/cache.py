"""Estimates of earlier runs, found again by what the file holds and what measured it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

import inference_pool
from shared.config import Config
from shared.errors import MessageError, ResourceError
from shared.estimation import Estimate
from shared.messages import decode_estimate, encode

BLOCK = 1 << 20
RUNTIMES = ("onnxruntime", "openvino")
"""Packages that run models; the last digits of a measure differ between them."""


def default_folder() -> Path:
    """Return the user's cache folder for this purpose."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lunapass" / "evaluate"


def fingerprint(config: Config) -> str:
    """Hash everything that estimates depend on: models, code, runtimes, the keys that measures use.

    Thresholds are not among them; they are compared with the measures afterwards.
    """
    digest = hashlib.sha256()
    models = Path(config.MODELS.directory)
    for file in sorted(models.glob("*")) if models.is_dir() else ():
        if file.is_file():
            digest.update(f"{file.name}\0{content_hash(file)}\0".encode())
    for file in sorted(Path(inference_pool.__path__[0]).rglob("*.py")):
        digest.update(file.read_bytes())
    keys = (
        *map(_version, RUNTIMES),
        config.WORKERS.backend,
        config.MODELS.provider,
        config.MODELS.rewritePrelu,
        config.MODELS.glasses,
        config.CHECKS.eyeOpen,
        config.CHECKS.pitchOffsetDeg,
        config.CHECKS.moire > 0,
        config.LIVENESS.THRESHOLDS.multifacePolicy,
        config.OIP,
        config.FACEENGINE,
    )
    digest.update(repr(keys).encode())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a folder with their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(str(file.relative_to(path)).encode())
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
    return digest.hexdigest()


class Cache:
    """One small file for each sample, written whole or not at all; so a run can be resumed.

    Args:
        folder: where the files are; made when the first is written.
        fingerprint: of what measures.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    def get(self, content: str) -> tuple[Estimate, ...] | None:
        """Return the estimates of a content, None where there are none that can be read."""
        try:
            packed = msgspec.msgpack.decode(self._file(content).read_bytes(), type=list[bytes])
            return tuple(decode_estimate(estimate) for estimate in packed)
        except (OSError, ValueError, MessageError):
            return None

    def put(self, content: str, estimates: Sequence[Estimate]) -> None:
        """Store the estimates of a content.

        Raises:
            ResourceError: the folder cannot be written.
        """
        file = self._file(content)
        partial = file.with_suffix(f".{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(msgspec.msgpack.encode([encode(one) for one in estimates]))
            partial.replace(file)
        except OSError as error:
            raise ResourceError(f"--cache: cannot write {file}: {error.strerror}") from error

    def _file(self, content: str) -> Path:
        key = hashlib.sha256(f"{self._fingerprint}{content}".encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.estimates"
