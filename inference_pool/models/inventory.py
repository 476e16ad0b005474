"""Compares a models directory with the manifest."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference_pool.models.manifest import Kind, ModelSpec, load_manifest
from inference_pool.models.store import find_kind
from shared.errors import ModelError


class FileState(StrEnum):
    """How a file compares with the manifest."""

    VERIFIED = "verified"
    MISSING = "missing"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Item:
    """One model of the manifest, and the state of its file and of its variant, if it has one."""

    spec: ModelSpec
    state: FileState
    variant: FileState | None

    @property
    def present(self) -> int:
        """How many files of the model exist, whatever their content."""
        return sum(found not in (None, FileState.MISSING) for found in (self.state, self.variant))


def state(path: Path, sha256: str) -> FileState:
    """Compare a file with its expected hash.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return FileState.MISSING
    except OSError as error:
        raise ModelError(f"{path}: unreadable: {error.strerror}") from error
    return FileState.VERIFIED if digest == sha256 else FileState.DIFFERENT


def variant_state(directory: Path, spec: ModelSpec) -> FileState | None:
    """Compare a model's variant with its hash; None for a model without one."""
    if spec.variant is None or spec.variant_sha256 is None:
        return None
    return state(directory / spec.variant, spec.variant_sha256)


def inspect(directory: Path) -> tuple[Kind, list[Item]]:
    """Compare a directory with its set of the manifest; return the models in its order."""
    manifest = load_manifest()
    kind = find_kind(directory, manifest)
    return kind, [
        Item(spec, state(directory / spec.file, spec.sha256), variant_state(directory, spec))
        for spec in manifest.models(kind).values()
    ]


def require(directory: Path, items: list[Item]) -> None:
    """Refuse a directory with which the service could not start.

    Raises:
        ModelError: a required file is missing, or any file differs from the manifest.
    """
    for item in items:
        spec = item.spec
        if item.state is FileState.DIFFERENT or (item.state is FileState.MISSING and spec.required):
            _refuse(spec, directory / spec.file, item.state, spec.sha256)
        if item.variant is FileState.DIFFERENT and spec.variant and spec.variant_sha256:
            _refuse(spec, directory / spec.variant, item.variant, spec.variant_sha256)


def _refuse(spec: ModelSpec, path: Path, found: FileState, sha256: str) -> None:
    raise ModelError(
        f"model {spec.role}: {path}: file {found}; expected sha256 {sha256};"
        " run 'lunapass models pull'"
    )
