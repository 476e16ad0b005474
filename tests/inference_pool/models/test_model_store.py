"""The store loads only the manifest's files, for one thread without spinning."""

from __future__ import annotations

import hashlib

import onnxruntime
import pytest

from inference_pool.models.manifest import Kind, load_manifest
from inference_pool.models.pulling.prelu import rewrite
from inference_pool.models.store import ModelStore
from shared.errors import ModelError


def test_the_whole_reference_set_loads(tmp_path, manifest, fill):
    """All roles load."""
    store = ModelStore(fill(tmp_path), manifest=manifest)
    assert store.kind is Kind.REFERENCE
    for role in manifest.reference:
        assert store.available(role)
        assert store.session(role).get_inputs()[0].name == "x"


def test_loaded_files_are_named_by_their_hash(tmp_path, manifest, fill):
    """Only requested files are listed; a variant is listed as its original."""
    store = ModelStore(fill(tmp_path), manifest=manifest)
    assert store.loaded == {}
    store.session("detector")
    store.path("liveness_v2")
    assert store.loaded == {
        role: manifest.reference[role].sha256 for role in ("detector", "liveness_v2")
    }


def test_session_is_single_threaded(tmp_path, manifest, fill):
    """One thread, sequential, no spinning; a role is loaded once."""
    store = ModelStore(fill(tmp_path), manifest=manifest)
    session = store.session("detector")
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == "0"
    assert store.session("detector") is session


def test_missing_file_is_reported_at_once(tmp_path, manifest, fill):
    """Role, file, expected hash and the remedy, in one line, before anything is loaded."""
    (fill(tmp_path) / "liveness_v2.onnx").unlink()
    with pytest.raises(ModelError) as caught:
        ModelStore(tmp_path, manifest=manifest)
    sha256 = manifest.reference["liveness_v2"].sha256
    for part in ("liveness_v2", str(tmp_path / "liveness_v2.onnx"), sha256, "lunapass models pull"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_file_is_not_loaded(tmp_path, manifest, fill, files):
    """A valid network that is not the manifest's is refused, by session and path alike."""
    (fill(tmp_path) / "detector.onnx").write_bytes(files["spare.onnx"])
    store = ModelStore(tmp_path, manifest=manifest)
    found = hashlib.sha256(files["spare.onnx"]).hexdigest()
    for load in (store.session, store.path):
        with pytest.raises(ModelError, match=f"model detector: .*{found}.*lunapass models pull"):
            load("detector")


def test_network_that_the_runtime_refuses(tmp_path, manifest, fill):
    """A pinned file that is not a network is a model error, not a traceback."""
    detector = manifest.reference["detector"].model_copy(
        update={"sha256": hashlib.sha256(b"no network").hexdigest()}
    )
    other = manifest.model_copy(update={"reference": manifest.reference | {"detector": detector}})
    (fill(tmp_path) / "detector.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match="cpu cannot load it"):
        ModelStore(tmp_path, manifest=other).session("detector")


def test_variant_is_preferred_on_the_cpu(tmp_path, manifest, fill, files):
    """The variant is loaded if it exists and is wanted, the original otherwise."""
    fill(tmp_path)
    variant = tmp_path / "detector.prelu.onnx"
    variant.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"detector\.prelu\.onnx"):
        ModelStore(tmp_path, manifest=manifest).session("detector")
    assert ModelStore(tmp_path, variants=False, manifest=manifest).session("detector")
    variant.write_bytes(rewrite(files["detector.onnx"]))
    assert ModelStore(tmp_path, manifest=manifest).session("detector")


def test_fallback_set(tmp_path, manifest, fill):
    """The fallback set loads if there is no reference file."""
    store = ModelStore(fill(tmp_path, "spare.onnx"), manifest=manifest)
    assert store.kind is Kind.FALLBACK
    assert store.path("detector") == tmp_path / "spare.onnx"
    assert not store.available("liveness_v2")
    with pytest.raises(ModelError, match="model liveness_v2: not in the fallback set"):
        store.session("liveness_v2")


def test_incomplete_reference_is_no_fallback(tmp_path, manifest, fill):
    """A reference set with a missing file fails closed, even next to a complete fallback set."""
    fill(tmp_path, "detector.onnx", "spare.onnx")
    with pytest.raises(ModelError, match="model liveness_v2"):
        ModelStore(tmp_path, manifest=manifest)


def test_optional_model_may_be_missing(tmp_path, manifest, fill):
    """``available`` is false for an absent optional model."""
    (fill(tmp_path) / "glasses.onnx").unlink()
    assert not ModelStore(tmp_path, manifest=manifest).available("glasses")


def test_real_models_directory_load(models_directory):
    """Every network of the reference set is the manifest's and runs."""
    store = ModelStore(models_directory)
    assert store.path("canonical").suffix == ".obj"
    for role, spec in load_manifest().reference.items():
        if spec.file.endswith(".onnx") and store.available(role):
            assert store.session(role).get_outputs()
