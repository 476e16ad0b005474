"""Fetches a set of models into the models directory: only verified, complete files."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference_pool.models.inventory import FileState, state, variant_state
from inference_pool.models.manifest import Kind, Manifest, ModelSpec
from inference_pool.models.pulling.download import AbsentError, UnreachableError
from inference_pool.models.pulling.fallback import make
from inference_pool.models.pulling.sources import ModelSource
from inference_pool.models.pulling.variants import verified_variant
from shared.errors import ModelError, os_errors
from shared.process.files import publish, write_atomically

Progress = Callable[[ModelSpec, int], None]
"""Called with a model and the number of its bytes present."""


@dataclass(frozen=True)
class Fetched:
    """Result for one model; ``source`` is None if no source has it."""

    spec: ModelSpec
    source: str | None
    rewritten: bool = False


class Puller:
    """Brings the models of a manifest into a directory.

    Missing reference files are taken from the first of the sources that has them.

    Raises:
        ResourceError: the directory cannot be created or written.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        sources: Sequence[ModelSource],
        progress: Progress = lambda spec, present: None,
    ) -> None:
        self._directory = directory
        self._manifest = manifest
        self._sources = sources
        self._progress = progress
        with os_errors(f"models directory {directory}"):
            directory.mkdir(parents=True, exist_ok=True)

    def reference(self, requested: Collection[str] = ()) -> list[Fetched]:
        """Fetch the reference set; an optional model may have no source.

        Models on request are fetched only if they are requested, and must then have a source.

        Raises:
            AbsentError: no required file was found, so the fallback set may help.
            ModelError: some required files were found, but not all.
            ResourceError: the directory cannot be written.
        """
        fetched: list[Fetched] = []
        missing: list[tuple[ModelSpec, AbsentError]] = []
        for spec in self._manifest.reference.values():
            if spec.on_request and spec.on_request not in requested and not self._has(spec):
                continue
            try:
                source = self._bring(spec)
            except AbsentError as error:
                source = None
                if spec.required or spec.on_request in requested:
                    missing.append((spec, error))
            fetched.append(Fetched(spec, source, source is not None and self._make_variant(spec)))
        if missing:
            spec, reason = missing[0]
            if spec.required and not any(item.source for item in fetched if item.spec.required):
                raise reason
            raise ModelError(
                f"model {spec.role}: no source has {spec.file}: {reason};"
                " run 'lunapass models pull' again, or name a source with --from DIR|URL"
            )
        return fetched

    def fallback(self) -> list[Fetched]:
        """Build the fallback set.

        Raises:
            ModelError: the directory has reference models, or the set cannot be built.
            ResourceError: the directory cannot be written.
        """
        for spec in self._manifest.reference.values():
            if spec.required and (self._directory / spec.file).exists():
                raise ModelError(
                    f"{self._directory} holds {spec.file} of the reference set;"
                    " choose another --directory for the fallback set"
                )
        specs = self._manifest.models(Kind.FALLBACK).values()
        missing = [spec for spec in specs if not self._has(spec)]
        for spec, data in make(missing):
            self._write(spec.file, data)
        fetched = []
        for spec in specs:
            self._progress(spec, spec.bytes)
            source = "built" if spec in missing else "present"
            fetched.append(Fetched(spec, source, self._make_variant(spec)))
        return fetched

    def _has(self, spec: ModelSpec) -> bool:
        return state(self._directory / spec.file, spec.sha256) is FileState.VERIFIED

    def _bring(self, spec: ModelSpec) -> str:
        """Find a file in the directory or a source, and return where it was found.

        Raises:
            AbsentError: no source has it; the message has the reason of each source.
        """
        if self._has(spec):
            self._progress(spec, spec.bytes)
            return "present"
        reasons = []
        for source in self._sources:
            try:
                self._fetch(spec, source)
            except (AbsentError, UnreachableError) as error:
                reasons.append(str(error))
            else:
                return source.name
        raise AbsentError("; ".join(reasons))

    def _fetch(self, spec: ModelSpec, source: ModelSource) -> None:
        """Fetch, verify and publish a file; fetch a wrong one again in full if it was resumed."""
        part = self._directory / f"{spec.file}.part"
        with os_errors(f"models directory {self._directory}"):
            resumed = part.exists()
            source.fetch(spec, part, lambda present: self._progress(spec, present))
            found = state(part, spec.sha256)
            if found is not FileState.VERIFIED and resumed:
                part.unlink()
                source.fetch(spec, part, lambda present: self._progress(spec, present))
                found = state(part, spec.sha256)
            if found is not FileState.VERIFIED:
                part.unlink()
                raise AbsentError(f"{source.name}: {spec.file} differs from the manifest")
            publish(part, self._directory / spec.file)

    def _make_variant(self, spec: ModelSpec) -> bool:
        """Build the variant of a model that has one; return whether it exists.

        If the installed onnx package writes other bytes than the manifest's, there is no variant
        and the original is used.
        """
        built = variant_state(self._directory, spec)
        if spec.variant is None or spec.rewrite is None or built is FileState.VERIFIED:
            return built is not None
        original = (self._directory / spec.file).read_bytes()
        variant = verified_variant(original, spec.rewrite, spec.file)
        path = self._directory / spec.variant
        if hashlib.sha256(variant).hexdigest() != spec.variant_sha256:
            path.unlink(missing_ok=True)
            return False
        self._write(spec.variant, variant)
        return True

    def _write(self, name: str, data: bytes) -> None:
        with os_errors(f"models directory {self._directory}"):
            write_atomically(self._directory / name, data)
