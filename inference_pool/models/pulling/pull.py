"""Fetching of a set of models into the models directory: verified, whole files only."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference_pool.models.inventory import State, state, variant_state
from inference_pool.models.manifest import Kind, Manifest, ModelSpec
from inference_pool.models.pulling.download import AbsentError, UnreachableError
from inference_pool.models.pulling.fallback import make
from inference_pool.models.pulling.sources import ModelSource
from inference_pool.models.pulling.variants import verified_variant
from shared.errors import ModelError, ResourceError
from shared.process.files import publish, write_atomically

Progress = Callable[[ModelSpec, int], None]
"""Told a model and how many of its bytes are there."""


@dataclass(frozen=True)
class Fetched:
    """What became of one model.

    Attributes:
        spec: the model.
        source: where the file came from; None where no source has it.
        rewritten: whether a faster variant stands beside it.
    """

    spec: ModelSpec
    source: str | None
    rewritten: bool = False


class Puller:
    """Brings the models of a manifest into a directory.

    Args:
        directory: models directory; made if it does not exist.
        manifest: what the files have to be.
        sources: where to look for reference files that the directory does not have, in order.
        progress: told of each file's bytes.

    Raises:
        ResourceError: the directory cannot be made or written.
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
        with _told_as_resource(directory):
            directory.mkdir(parents=True, exist_ok=True)

    def reference(self) -> list[Fetched]:
        """Fetch the reference set.

        Returns:
            What became of each model; an optional one may have no source.

        Raises:
            AbsentError: no source has a single required file, so the fallback set may help.
            ModelError: some required files were found, and others not.
            ResourceError: the directory cannot be written.
        """
        fetched, failures = [], {}
        for role, spec in self._manifest.reference.items():
            try:
                source = self._bring(spec)
            except AbsentError as error:
                failures[role] = str(error)
                source = None
            fetched.append(Fetched(spec, source, source is not None and self._vary(spec)))
        lost = {item.spec.role for item in fetched if item.source is None and item.spec.required}
        if lost:
            self._refuse(fetched, {role: failures[role] for role in failures if role in lost})
        return fetched

    def fallback(self) -> list[Fetched]:
        """Build the fallback set.

        Returns:
            What became of each model.

        Raises:
            ModelError: the directory holds reference models, or the set cannot be built.
            ResourceError: the directory cannot be written.
        """
        for spec in self._manifest.reference.values():
            if spec.required and (self._directory / spec.file).exists():
                raise ModelError(
                    f"{self._directory} holds {spec.file} of the reference set;"
                    " choose another --directory for the fallback set"
                )
        specs = self._manifest.models(Kind.FALLBACK).values()
        lacking = [spec for spec in specs if not self._has(spec)]
        for spec, data in make(lacking):
            self._write(spec.file, data)
        fetched = []
        for spec in specs:
            self._progress(spec, spec.bytes)
            source = "built" if spec in lacking else "present"
            fetched.append(Fetched(spec, source, self._vary(spec)))
        return fetched

    def _has(self, spec: ModelSpec) -> bool:
        return state(self._directory / spec.file, spec.sha256) is State.VERIFIED

    def _bring(self, spec: ModelSpec) -> str:
        """Find a file in the directory or a source, and answer where.

        Raises:
            AbsentError: no source has it; the message says why, source by source.
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
        """Fetch, verify, put in place; a resumed file that is wrong is fetched again in full."""
        part = self._directory / f"{spec.file}.part"
        with _told_as_resource(self._directory):
            resumed = part.exists()
            source.fetch(spec, part, lambda present: self._progress(spec, present))
            found = state(part, spec.sha256)
            if found is not State.VERIFIED and resumed:
                part.unlink()
                source.fetch(spec, part, lambda present: self._progress(spec, present))
                found = state(part, spec.sha256)
            if found is not State.VERIFIED:
                part.unlink()
                raise AbsentError(f"{source.name}: {spec.file} there is a different file")
            publish(part, self._directory / spec.file)

    def _vary(self, spec: ModelSpec) -> bool:
        """Build the variant where there is one.

        An onnx package that writes other bytes than the manifest pins leaves no variant; the
        original serves then.
        """
        built = variant_state(self._directory, spec)
        if spec.variant is None or spec.rewrite is None or built is State.VERIFIED:
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
        with _told_as_resource(self._directory):
            write_atomically(self._directory / name, data)

    def _refuse(self, fetched: list[Fetched], failures: dict[str, str]) -> None:
        role, reason = next(iter(failures.items()))
        if not any(item.source for item in fetched if item.spec.required):
            raise AbsentError(reason)
        raise ModelError(
            f"model {role}: {self._manifest.reference[role].file} cannot be had: {reason};"
            " run 'lunapass models pull' again, or name a source with --from DIR|URL"
        )


@contextlib.contextmanager
def _told_as_resource(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(f"models directory {directory}: {error.strerror or error}") from error
