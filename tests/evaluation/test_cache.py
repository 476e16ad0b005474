from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from evaluation.cache import Cache, Measurement, content_hash, fingerprint
from evaluation.measuring import measure
from evaluation.samples import Sample
from shared.config.luna_pass import LivenessSection, ThresholdsSection
from shared.config.service import (
    ChecksSection,
    Config,
    LimitsSection,
    ModelsSection,
    WorkersSection,
)
from tests.evaluation.estimates import estimate


def test_stored_estimates_are_found(tmp_path: Path) -> None:
    """Only the same content and fingerprint find them."""
    stored = Measurement((estimate(0.25), estimate(None)), "the frame is empty")
    Cache(tmp_path, "models").put("content", stored)
    assert Cache(tmp_path, "models").get("content") == stored
    assert Cache(tmp_path, "models").get("other") is None
    assert Cache(tmp_path, "other").get("content") is None


@pytest.mark.parametrize("backend", ["oip", "lunasdk", "mine.backend:Own"])
def test_only_the_models_of_files_are_known(tmp_path: Path, backend: str) -> None:
    """Others may have changed since a run, without a trace here: they measure again."""
    assert Cache.of(Config(), tmp_path, fingerprint) is not None
    assert Cache.of(Config(), None, fingerprint) is None
    assert Cache.of(Config(WORKERS=WorkersSection(backend=backend)), tmp_path, fingerprint) is None


def test_damaged_file_is_measured_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "models")
    cache.put("content", Measurement((estimate(),)))
    (file,) = tmp_path.rglob("*.estimates")
    file.write_bytes(file.read_bytes()[:-9])
    assert cache.get("content") is None


def test_fingerprint_follows_models_and_measures_not_thresholds(tmp_path: Path) -> None:
    """Other models or another eyeOpen need a new measurement; another threshold does not."""
    (tmp_path / "a.onnx").write_bytes(b"one")
    models = ModelsSection(directory=str(tmp_path))
    plain = fingerprint(Config(MODELS=models))
    strict = LivenessSection(THRESHOLDS=ThresholdsSection(blur=0.9))
    assert fingerprint(Config(MODELS=models, LIVENESS=strict)) == plain
    assert fingerprint(Config(MODELS=models, CHECKS=ChecksSection(eyeOpen=0.3))) != plain
    assert fingerprint(Config(MODELS=models, CHECKS=ChecksSection(rotate=90))) != plain
    assert fingerprint(Config(MODELS=models, LIMITS=LimitsSection(framePixels=4096))) != plain
    head = tmp_path / "other" / "head.json"
    head.parent.mkdir()
    with_head = models.model_copy(update={"siteHead": str(head)})
    heads = {fingerprint(Config(MODELS=with_head)) for text in "ab" if head.write_text(text)}
    assert len({plain, *heads}) == 3
    (tmp_path / "a.onnx").write_bytes(b"two")
    assert fingerprint(Config(MODELS=models)) != plain


def test_fingerprint_follows_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of a runtime, or a missing one, needs a new measurement."""
    plain = fingerprint(Config())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0")
    other = fingerprint(Config())

    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert len({plain, other, fingerprint(Config())}) == 3


def test_content_hash_does_not_depend_on_the_path(tmp_path: Path) -> None:
    """A moved or renamed image has the same hash, a changed one another."""
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"pixels")
    other.write_bytes(b"pixels")
    assert content_hash(one) == content_hash(other)
    other.write_bytes(b"pixelz")
    assert content_hash(one) != content_hash(other)


def test_interrupted_run_is_resumed(tmp_path: Path) -> None:
    """Samples that an interrupted run measured are not measured again."""
    samples = []
    for name in "abc":
        (tmp_path / name).write_text(name)
        samples.append(Sample(tmp_path / name, name, "", name))
    cache = Cache(tmp_path / "cache", "models")

    class Stopped(Exception):
        pass

    def estimator():  # type: ignore[no-untyped-def]
        raise Stopped

    cache.put(f"{content_hash(tmp_path / 'a')}/1", Measurement((estimate(0.5),)))
    run = measure(samples, estimator, lambda path: iter(()), cache)
    first = next(run)
    assert (first.cached, first.frames[0].liveness) == (True, estimate(0.5).liveness)
    with pytest.raises(Stopped):
        next(run)
