"""Cache of estimates, keyed by the content of a file and by what measured it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

import inference_pool
import shared
from shared.config.service import Config
from shared.errors import MessageError, os_errors
from shared.frame.estimation import Estimate
from shared.process.files import write_atomically
from shared.wire.messages import decode_estimate, encode

BLOCK = 1 << 20
_STORED = msgspec.msgpack.Decoder(tuple[list[bytes], str])
RUNTIMES = ("onnxruntime", "openvino", "opencv-python-headless", "pillow", "simplejpeg")
"""Packages that decode images and run models; measures differ slightly between their versions."""


def default_folder() -> Path:
    """Return the folder of this cache below the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lunapass" / "evaluate"


def fingerprint(config: Config) -> str:
    """Hash all that estimates of the backend ``onnx`` depend on: models, code, runtimes and keys.

    Thresholds are not included; they are compared with the measures afterwards.
    """
    digest = hashlib.sha256()
    models = Path(config.MODELS.directory)
    for file in sorted(models.glob("*")) if models.is_dir() else ():
        if file.is_file():
            digest.update(f"{file.name}\0{content_hash(file)}\0".encode())
    for package in (inference_pool, shared):
        for file in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(file.read_bytes())
    keys = (
        *map(_version, RUNTIMES),
        config.MODELS.provider,
        config.MODELS.rewritePrelu,
        config.MODELS.glasses,
        config.MODELS.thirdLiveness,
        config.MODELS.siteHead and content_hash(Path(config.MODELS.siteHead)),
        config.CHECKS.eyeOpen,
        config.CHECKS.pitchOffsetDeg,
        config.CHECKS.moire > 0,
        config.CHECKS.rotate,
        config.LIMITS,
        config.LIVENESS.THRESHOLDS.multifacePolicy,
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


class Measurement(NamedTuple):
    """Estimates of a file's frames, and why the next one is refused, if it is."""

    estimates: tuple[Estimate, ...]
    refused: str = ""


class Cache:
    """One small file per sample, written atomically, so an interrupted run can be resumed.

    The folder is created with the first file. ``fingerprint`` stands for what measures.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint

    @classmethod
    def of(
        cls, config: Config, folder: Path | None, fingerprint: Callable[[Config], str]
    ) -> Cache | None:
        """Return the cache in a folder; None without one, or with another backend than ``onnx``.

        The models of other backends, on a server or in an SDK, can change without changing anything
        that could be hashed here. Stored estimates would then pass for those of the new models.
        """
        if folder is None or config.WORKERS.backend != "onnx":
            return None
        return cls(folder, fingerprint(config))

    def get(self, content: str) -> Measurement | None:
        """Return the measurement of a content hash; None if no readable one is stored."""
        try:
            packed, refused = _STORED.decode(self._file(content).read_bytes())
            return Measurement(tuple(map(decode_estimate, packed)), refused)
        except (OSError, ValueError, MessageError):
            return None

    def put(self, content: str, measured: Measurement) -> None:
        """Store the measurement of a content hash.

        Raises:
            ResourceError: the folder cannot be written.
        """
        file = self._file(content)
        with os_errors(f"--cache: cannot write {file}"):
            file.parent.mkdir(parents=True, exist_ok=True)
            stored = [encode(one) for one in measured.estimates], measured.refused
            write_atomically(file, msgspec.msgpack.encode(stored))

    def _file(self, content: str) -> Path:
        key = hashlib.sha256(f"{self._fingerprint}{content}".encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.estimates"
