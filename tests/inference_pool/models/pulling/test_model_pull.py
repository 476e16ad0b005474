"""A pull leaves only complete, verified files, and reports what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference_pool.models.manifest import Manifest, ModelSpec, load_manifest
from inference_pool.models.pulling.download import AbsentError, UnreachableError
from inference_pool.models.pulling.pull import Puller
from inference_pool.models.pulling.sources import (
    FolderSource,
    PublicSource,
    default_sources,
    make_client,
    named_source,
)
from shared.errors import ModelError, ResourceError
from tests.inference_pool.models.conftest import table


@pytest.fixture
def client():
    with make_client() as client:
        yield client


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_from_a_folder(tmp_path, manifest, fill, files):
    """Every file arrives, and a variant is built if the manifest has one."""
    source = FolderSource(fill(tmp_path / "source"))
    fetched = Puller(tmp_path / "models", manifest, [source]).reference()
    assert {item.source for item in fetched} == {str(tmp_path / "source")}
    assert [item.spec.role for item in fetched if item.rewritten] == ["detector"]
    assert names(tmp_path / "models") == set(files) - {"spare.onnx"} | {"detector.prelu.onnx"}


def test_from_an_address(tmp_path, manifest, server, client, files):
    """A web folder works, too; each file is requested once and progress is reported."""
    server.content = {f"/set/{name}": data for name, data in files.items()}
    seen: dict[str, int] = {}
    source = named_source(f"{server.address}/set/", client)
    puller = Puller(
        tmp_path, manifest, [source], lambda spec, present: seen.update({spec.file: present})
    )
    puller.reference()
    assert len(server.asked) == len(manifest.reference)
    assert seen == {spec.file: spec.bytes for spec in manifest.reference.values()}


def test_a_second_pull_makes_no_request(tmp_path, manifest, fill):
    """Verified files are not fetched again."""
    Puller(tmp_path / "models", manifest, [FolderSource(fill(tmp_path / "source"))]).reference()
    again = Puller(tmp_path / "models", manifest, []).reference()
    assert {item.source for item in again} == {"present"}


def test_damaged_file_is_replaced(tmp_path, manifest, fill, files):
    """A file that differs from the manifest counts as missing."""
    source = FolderSource(fill(tmp_path / "source"))
    models = fill(tmp_path / "models")
    (models / "detector.onnx").write_bytes(b"damaged")
    Puller(models, manifest, [source]).reference()
    assert (models / "detector.onnx").read_bytes() == files["detector.onnx"]


def test_wrong_content_is_never_stored(tmp_path, manifest, fill):
    """A source with another file of that name is skipped, and nothing of it remains."""
    source = fill(tmp_path / "source")
    (source / "detector.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"model detector: .*detector.onnx differs from"):
        Puller(tmp_path / "models", manifest, [FolderSource(source)]).reference()
    assert not any(name.startswith("detector") for name in names(tmp_path / "models"))


def test_a_missing_file_comes_from_the_next_source(tmp_path, manifest, fill):
    """Sources are tried in order."""
    first = FolderSource(fill(tmp_path / "first", "detector.onnx"))
    second = FolderSource(fill(tmp_path / "second"))
    fetched = Puller(tmp_path / "models", manifest, [first, second]).reference()
    assert [item.source for item in fetched] == [first.name, second.name, second.name, second.name]


def test_interrupted_download_is_resumed(tmp_path, manifest, fill, server, client, files):
    """A broken pull leaves a partial file only; the next pull asks for the rest."""
    others = FolderSource(fill(tmp_path / "s", "liveness_v2.onnx", "liveness_v1se.onnx"))
    sources = [others, named_source(server.address, client)]
    server.content = {"/detector.onnx": files["detector.onnx"]}
    server.cuts = [10] * 4
    with pytest.raises(ModelError, match="run 'lunapass models pull' again"):
        Puller(tmp_path / "models", manifest, sources).reference()
    assert "detector.onnx" not in names(tmp_path / "models")
    Puller(tmp_path / "models", manifest, sources).reference()
    assert ("/detector.onnx", "bytes=40-") in server.asked
    assert (tmp_path / "models" / "detector.onnx").read_bytes() == files["detector.onnx"]


def test_damaged_partial_file_is_fetched_in_full(tmp_path, manifest, fill, server, client, files):
    """A resumed file whose hash is wrong is fetched once more from its start."""
    models = fill(tmp_path / "models", "liveness_v2.onnx", "liveness_v1se.onnx")
    (models / "detector.onnx.part").write_bytes(b"x" * 20)
    server.content = {"/detector.onnx": files["detector.onnx"]}
    Puller(models, manifest, [named_source(server.address, client)]).reference()
    ranges = [wanted for path, wanted in server.asked if path == "/detector.onnx"]
    assert ranges == ["bytes=20-", None]
    assert (models / "detector.onnx").read_bytes() == files["detector.onnx"]


def test_no_source_at_all(tmp_path, manifest):
    """If a required file is missing, the caller may use the fallback set."""
    with pytest.raises(AbsentError):
        Puller(tmp_path / "models", manifest, [FolderSource(tmp_path / "nowhere")]).reference()


def test_optional_model_may_be_missing(tmp_path, manifest, fill):
    """A set without its optional model is complete."""
    source = fill(tmp_path / "source")
    (source / "glasses.onnx").unlink()
    fetched = Puller(tmp_path / "models", manifest, [FolderSource(source)]).reference()
    assert [item.spec.role for item in fetched if item.source is None] == ["glasses"]


def test_an_unpinned_variant_is_removed(tmp_path, manifest, fill):
    """A variant that differs from the manifest is omitted; the original is used."""
    detector = manifest.reference["detector"].model_copy(update={"variant_sha256": "0" * 64})
    other = manifest.model_copy(update={"reference": manifest.reference | {"detector": detector}})
    fetched = Puller(tmp_path / "m", other, [FolderSource(fill(tmp_path / "s"))]).reference()
    assert not any(item.rewritten for item in fetched)
    assert "detector.prelu.onnx" not in names(tmp_path / "m")


def test_fallback_beside_reference_is_refused(tmp_path, manifest, fill):
    """The two sets do not share a directory, so neither is used by mistake."""
    with pytest.raises(ModelError, match="choose another --directory"):
        Puller(fill(tmp_path / "models"), manifest, []).fallback()


def test_an_unusable_directory_is_an_error(tmp_path, manifest):
    """A file in place of the directory gives a one-line error."""
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(ResourceError, match=r"models directory .*models"):
        Puller(tmp_path / "models", manifest, [])


def test_public_source_gives_up_at_the_first_refusal(tmp_path, client):
    """One refused connection is enough to know that there is no network."""
    spec = (
        load_manifest()
        .reference["detector"]
        .model_copy(update={"url": "https://127.0.0.1:9/model"})
    )
    source = PublicSource(client)
    with pytest.raises(UnreachableError) as first:
        source.fetch(spec, tmp_path / "part", lambda present: None)
    with pytest.raises(UnreachableError) as second:
        source.fetch(spec, tmp_path / "part", lambda present: None)
    assert first.value is second.value


def test_order_of_the_usual_sources(tmp_path, client, monkeypatch):
    """The environment's source comes first, the public addresses last."""
    (tmp_path / "shared" / "models").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("LUNAPASS_MODEL_SOURCE", "http://models.example/set")
    found = [source.name for source in default_sources(client)]
    assert found[:2] == ["http://models.example/set", str(tmp_path / "shared" / "models")]
    assert found[-1] == "the public addresses"


def with_third(manifest: Manifest) -> Manifest:
    """The manifest with a model that is fetched only on request."""
    third = ModelSpec.model_validate(
        {"role": "third", **table("third.onnx", required=False, on_request="facenox")}
    )
    return manifest.model_copy(update={"reference": {**manifest.reference, "third": third}})


def test_a_model_on_request_is_not_fetched_otherwise(tmp_path, manifest, fill):
    """Its terms may not suit everybody; once fetched it is verified like the others."""
    manifest = with_third(manifest)
    source = FolderSource(fill(tmp_path / "source"))
    fill(tmp_path / "source", "third.onnx")
    models = tmp_path / "models"
    fetched = Puller(models, manifest, [source]).reference()
    assert "third" not in [item.spec.role for item in fetched]
    assert "third.onnx" not in names(models)
    fetched = Puller(models, manifest, [source]).reference(["facenox"])
    assert (fetched[-1].spec.role, fetched[-1].source) == ("third", str(tmp_path / "source"))
    again = Puller(models, manifest, []).reference()
    assert (again[-1].spec.role, again[-1].source) == ("third", "present")


def test_a_requested_model_that_no_source_has_is_an_error(tmp_path, manifest, fill):
    """A missing optional model is fine only if no one asked for it."""
    source = FolderSource(fill(tmp_path / "source"))
    with pytest.raises(ModelError, match=r"model third: no source has third\.onnx"):
        Puller(tmp_path / "models", with_third(manifest), [source]).reference(["facenox"])
